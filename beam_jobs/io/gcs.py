"""Writes to Google Cloud Storage on a condition, which Beam's file system cannot."""

from contextlib import suppress
from typing import Any

from apache_beam.io.filesystems import FileSystems

with suppress(ImportError):  # an extra, without which Beam refuses the path
    from apache_beam.io.gcp import gcsio
    from google.api_core.exceptions import NotFound, PreconditionFailed

NOT_THERE = 0  # the generation of an object that does not exist


def client() -> Any:
    """Returns the Google client for Beam's current options."""
    options = FileSystems._pipeline_options  # no getter
    return gcsio.GcsIO(pipeline_options=options).client


def write_if(path: str, old: bytes | None, new: bytes) -> bool:
    """Writes an object if its content is `old`; see `Storage.write_if`."""
    bucket, name = gcsio.parse_gcs_path(path)
    blob = client().bucket(bucket).blob(name)
    generation = NOT_THERE
    try:
        if old is not None:
            blob.reload()
            generation = blob.generation
            if blob.download_as_bytes(if_generation_match=generation) != old:
                return False
        blob.upload_from_string(new, if_generation_match=generation)
    except PreconditionFailed:
        return False
    except NotFound:
        if old is None:  # the bucket
            raise
        return False
    return True
