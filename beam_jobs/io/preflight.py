"""Checks, before a job starts, that it can reach the remote paths it names."""

import importlib
from collections.abc import Mapping, Sequence

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from beam_jobs.io import s3
from beam_jobs.io.beam_storage import root_of
from records.errors import UserError
from records.storage.base import is_remote
from records.storage.files import can_list, check_utf8

# Scheme -> what must be importable, and what brings it.
LIBRARIES = {
    "s3": ("boto3", "apache-beam[aws]"),
    "gs": ("google.cloud.storage", "apache-beam[gcp]"),
    "hdfs": ("hdfs", "apache-beam[hadoop]"),
    "azfs": ("azure.storage.blob", "apache-beam[azure]"),
}


def check_names(places: Mapping[str, Sequence[str]]) -> None:
    """Raises UserError where an option, of `places`, names a path that is not UTF-8."""
    for option, paths in places.items():
        for path in paths:
            check_utf8(path, option)


def use_options(options: PipelineOptions, places: Mapping[str, Sequence[str]]) -> None:
    """Sets the options for all remote files, and tries each remote place.

    Beam itself sets the options when the pipeline is made, and retries a place that
    does not answer for minutes.

    Args:
        options: Beam's, with keys and endpoints.
        places: option -> paths; those of this machine and of web servers, which Beam
            does not reach, are not checked.

    Raises:
        UserError: a library is missing, or the place does not answer.
    """
    FileSystems.set_options(options)
    remote = [path for paths in places.values() for path in paths if is_remote(path)]
    for root in sorted(set(map(root_of, filter(can_list, remote)))):
        scheme = root.partition("://")[0]
        check_library(root, *LIBRARIES.get(scheme, (None, None)))
        check_file_system(root, scheme)
        if scheme == "s3":
            s3.check_access(root)


def check_library(path: str, library: str | None, extra: str | None) -> None:
    try:
        if library:
            importlib.import_module(library)
    except ImportError:
        raise UserError(
            f"{path} takes a library that is not installed: pip install '{extra}'"
        ) from None


def check_file_system(path: str, scheme: str) -> None:
    try:
        FileSystems.get_filesystem(f"{path}/any")
    except (ValueError, BeamIOError) as error:
        if scheme in LIBRARIES:
            raise UserError(f"{path}: {error}") from None
        known = ", ".join(f"{name}://" for name in LIBRARIES)
        raise UserError(
            f"{path}: Beam has no file system for {scheme}://; expected a "
            f"path of this machine, {known}, or http:// to read"
        ) from None
