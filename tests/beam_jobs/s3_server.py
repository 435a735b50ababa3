"""A server that speaks S3, on this machine."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "photos-and-records"
KEYS = {
    "s3_access_key_id": "key",
    "s3_secret_access_key": "secret",
    "s3_region_name": "us-east-1",
}


class Bucket:
    """One bucket of a running server.

    Attributes:
        url: `s3://bucket`.
        flags: Beam options that lead to it.
    """

    def __init__(self, endpoint: str):
        self.url = f"s3://{BUCKET}"
        settings = {**KEYS, "s3_endpoint_url": endpoint}
        self.flags = [f"--{name}={value}" for name, value in settings.items()]
        self.client = boto3.client(
            "s3",
            endpoint_url=endpoint,
            aws_access_key_id=KEYS["s3_access_key_id"],
            aws_secret_access_key=KEYS["s3_secret_access_key"],
            region_name=KEYS["s3_region_name"],
        )
        self.client.create_bucket(Bucket=BUCKET)

    def put(self, name: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=name, Body=content)

    def put_all(self, folder: Path, prefix: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder)}", path.read_bytes())

    def names(self, prefix: str = "") -> list[str]:
        """Names below the prefix."""
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        keys = [entry["Key"] for entry in listed.get("Contents", [])]
        return [key.removeprefix(prefix) for key in keys]

    def held(self, prefix: str = "") -> dict[str, bytes]:
        """Name below the prefix -> bytes."""
        return {name: self.get(prefix + name) for name in self.names(prefix)}

    def get(self, name: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=name)["Body"].read()

    def clear(self, prefix: str = "") -> None:
        for name in self.names(prefix):
            self.client.delete_object(Bucket=BUCKET, Key=prefix + name)

    def uploads(self) -> list:
        """Those that were begun and not ended."""
        return self.client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])


@contextmanager
def running() -> Iterator[Bucket]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line a request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Bucket(f"http://{host}:{port}")
    finally:
        server.stop()
