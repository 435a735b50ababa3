"""`tfcap serve` as a process of its own, on a model that says how large a photo is."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path

import httpx
import tensorflow as tf

PHOTOS = [tf.TensorSpec([None], tf.string, "image_bytes")]
START = 60  # seconds in which a server is up, or down, on a busy machine
SLOW = 100  # rows


class Sizes(tf.Module):
    """Captions a PNG with its size; for over 100 rows it takes a millisecond each."""

    @tf.function(input_signature=PHOTOS, autograph=False)
    def caption(self, image_bytes):
        is_png = tf.strings.substr(image_bytes, 0, 4) == b"\x89PNG"
        sizes = read_sizes(tf.where(is_png, image_bytes, tf.constant(bytes(24))))
        rows = tf.reduce_max(sizes[:, 1])
        wait = tf.cond(
            rows > SLOW, lambda: sleep(rows), lambda: tf.constant(0, tf.int64)
        )
        with tf.control_dependencies([wait]):
            texts = tf.strings.reduce_join(
                tf.strings.as_string(sizes), 1, separator="x"
            )
        return {
            "caption": tf.where(is_png, texts, ""),
            "score": tf.where(is_png, -0.5, 0.0),
            "error": tf.where(is_png, "", "no PNG"),
        }

    @tf.function(input_signature=PHOTOS, autograph=False)
    def explain(self, image_bytes):
        found = self.caption(image_bytes)
        captions, scores = found["caption"][:, None], found["score"][:, None]
        return {
            "captions": captions,
            "scores": scores,
            "words": captions,
            "probabilities": tf.exp(scores),
            "error": found["error"],
        }


def read_sizes(photos: tf.Tensor) -> tf.Tensor:
    """Width and height as a PNG's header has them, int32 [batch, 2]."""
    digits = tf.io.decode_raw(tf.strings.substr(photos, 16, 8), tf.uint8)
    digits = tf.reshape(tf.cast(digits, tf.int32), [-1, 2, 4])
    return tf.reduce_sum(digits * tf.constant([1 << 24, 1 << 16, 1 << 8, 1]), 2)


def sleep(milliseconds: tf.Tensor) -> tf.Tensor:
    """Zero, after a while."""
    one = tf.data.Dataset.range(1)
    variant = tf.raw_ops.SleepDataset(
        input_dataset=one._variant_tensor,
        sleep_microseconds=1000 * tf.cast(milliseconds, tf.int64),
        output_types=[tf.int64],
        output_shapes=[[]],
    )
    slow = tf.data.experimental.from_variant(variant, one.element_spec)
    return slow.reduce(tf.constant(0, tf.int64), lambda _, value: value)


def export(folder: Path, model: tf.Module | None = None) -> str:
    model = model or Sizes()
    signatures = {"serving_default": model.caption, "explain": model.explain}
    tf.saved_model.save(model, str(folder / "1"), signatures)
    return str(folder)


def predict_body(*photos: bytes) -> bytes:
    """JSON in TensorFlow Serving's row form."""
    encoded = [base64.b64encode(photo).decode() for photo in photos]
    return json.dumps({"instances": [{"b64": text} for text in encoded]}).encode()


class Server:
    """The process.

    Attributes:
        url: where it answers.
        host, port: of that.
    """

    def __init__(self, process: subprocess.Popen, url: str):
        self.process, self.url = process, url
        self.host, port = url.removeprefix("http://").split(":")
        self.port = int(port)

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=30)

    def memory(self, name: str = "VmRSS") -> float:
        """MiB that the process takes, or with `VmHWM` has ever taken."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(row for row in status.splitlines() if row.startswith(name))
        return int(line.split()[1]) / 1024

    def cpu_seconds(self) -> float:
        """Of all cores, since it was started."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(model: str, **settings) -> Iterator[Server]:
    """A server that is ready; ends it."""
    flags = [f"--set={name}={value}" for name, value in settings.items()]
    code = "import sys; from tfcap.cli.main import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--model", model, "--port", "0", *flags],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        first = process.stderr.readline()
        assert first.startswith("captions at http://127.0.0.1:"), first
        server = Server(process, first.split()[2])
        wait_until_ready(server)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(START)
        process.stderr.close()


def computed_before_health(server: Server, others: Sequence[Future]) -> float:
    """Seconds that /healthz takes at most, until the others are done.

    Counted are those in which the server computes, on average: on a machine with other
    work to do every second lasts longer, in which the server does as much.
    """
    began, computed, slowest = time.monotonic(), server.cpu_seconds(), 0.0
    with server.client() as client:
        while not all(other.done() for other in others):
            started = time.monotonic()
            assert client.get("/healthz").status_code == 200
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(0.01)
    share = (server.cpu_seconds() - computed) / (time.monotonic() - began)
    return slowest * share


def wait_until_ready(server: Server) -> None:
    until = time.monotonic() + START
    with server.client() as client:
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
