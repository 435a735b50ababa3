"""Workarounds for Beam 2.77 on S3.

- It makes a new client for every call, which takes 50 ms and a connection per photo.
  Here all calls of a process share one.
- It cannot write an empty file.
- It retries for seven minutes if a server does not answer or credentials are missing.
- It logs stack traces of errors that it raises as well.
- It cannot write on a condition, as locks need.
"""

import functools
import logging
from types import SimpleNamespace
from typing import Any

from apache_beam.io.aws import s3io
from apache_beam.io.filesystems import FileSystems

from records.errors import UserError

try:
    import boto3
    from apache_beam.io.aws.clients.s3 import boto3_client
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # an extra
    boto3 = None

CONNECTIONS = 64
# HTTP's codes: an object is gone, is written by another request, or has changed.
GONE, CHANGED = 404, (409, 412)
NOT_IMPLEMENTED = 501
# Any other refusal to list a bucket may be no hindrance to reading from it.
FATAL = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "NoSuchBucket",
    "InvalidBucketName",
    "ExpiredToken",
    "InvalidToken",
}


@functools.cache
def shared_client(**settings: Any) -> Any:
    """Returns the client of these settings; boto3's clients are thread-safe."""
    config = Config(max_pool_connections=CONNECTIONS)
    return boto3.session.Session().client(**settings, config=config)


@functools.cache
def configure() -> None:
    """Works around the points above, once per process; without boto3 does nothing."""
    if boto3:
        share_client()
        logging.getLogger().addFilter(silence)


def share_client() -> None:
    session = SimpleNamespace(client=shared_client)
    boto3_client.boto3 = SimpleNamespace(
        session=SimpleNamespace(Session=lambda: session)
    )


def client_for(path: str) -> Any:
    """Returns the boto3 client for Beam's current options."""
    options = FileSystems.get_filesystem(path)._options  # type: ignore[attr-defined]  # no getter
    return s3io.S3IO(options=options).client.client


def put_empty(path: str) -> None:
    bucket, key = s3io.parse_s3_path(path)
    client_for(path).put_object(Bucket=bucket, Key=key, Body=b"")


def write_if(path: str, old: bytes | None, new: bytes) -> bool | None:
    """Writes an object if its content is `old`; see `Storage.write_if`."""
    bucket, key = s3io.parse_s3_path(path)
    place, client = {"Bucket": bucket, "Key": key}, client_for(path)
    try:
        condition = {"IfNoneMatch": "*"}
        if old is not None:
            answer = client.get_object(**place)
            if answer["Body"].read() != old:
                return False
            condition = {"IfMatch": answer["ETag"]}
        client.put_object(**place, Body=new, **condition)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == NOT_IMPLEMENTED:
            return None
        if status in CHANGED or (status == GONE and old is not None):
            return False
        raise
    return True


def check_access(root: str) -> None:
    """Tries a bucket once.

    Args:
        root: `s3://bucket`.

    Raises:
        UserError: the server does not answer, or refuses the bucket or the key.
    """
    bucket = root.removeprefix("s3://")
    try:
        client_for(f"{root}/any").list_objects_v2(Bucket=bucket, MaxKeys=1)
    except ClientError as error:
        if error.response["Error"]["Code"] in FATAL:
            raise UserError(f"{root}: {error}") from None
    except BotoCoreError as error:
        raise UserError(
            f"{root}: {error}; credentials are those of the AWS command line, or "
            "--s3_access_key_id and --s3_secret_access_key; for a server other than "
            "Amazon's give --s3_endpoint_url"
        ) from None


def silence(record: logging.LogRecord) -> bool:
    return record.module not in ("s3io", "s3filesystem")
