"""A server that speaks S3, on this machine."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from moto.server import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import make_server

BUCKET = "photos-and-records"
KEYS = {
    "s3_access_key_id": "key",
    "s3_secret_access_key": "secret",
    "s3_region_name": "us-east-1",
}


class Gate:
    """A WSGI application that can hold back the writes to another.

    A process that writes stands still then at a place that the test chooses, however
    fast the machine is.

    Attributes:
        closed: Set once a write is held back.
    """

    def __init__(self, application):
        self.application = application
        self.closed, self.opened = threading.Event(), threading.Event()
        self.open()

    def open(self) -> None:
        """Lets every request pass, and refuses those that wait."""
        self.holds: Callable[[], bool] = lambda: False
        self.closed.clear()
        self.opened.set()

    def close_when(self, holds: Callable[[], bool]) -> None:
        """Holds back every write that comes while `holds()` is true."""
        self.opened.clear()
        self.holds = holds

    def __call__(self, environ, start_response):
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") or not self.holds():
            return self.application(environ, start_response)
        self.closed.set()
        self.opened.wait()
        start_response("503 Service Unavailable", [])
        return []


class Bucket:
    """One bucket of a running server.

    Attributes:
        url: `s3://bucket`.
        flags: Beam options that lead to it.
        gate: What every request passes.
    """

    def __init__(self, endpoint: str, gate: Gate):
        self.gate = gate
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
    gate = Gate(DomainDispatcherApplication(create_backend_app))
    server = make_server(
        "127.0.0.1", 0, gate, threaded=True, request_handler=MotoRequestHandler
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Bucket(f"http://127.0.0.1:{server.server_port}", gate)
    finally:
        gate.open()
        server.shutdown()
