"""Flickr8k in miniature, and an encoder that loads at once. Workers import it too."""

import io
import os
import random
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from PIL import Image, ImageDraw

from beam_jobs import build_records
from beam_jobs.build_job import Job
from beam_jobs.io import output_directory
from beam_jobs.sources.flickr8k import SPLIT_FILES, Flickr8k
from records.format import manifest
from records.format.manifest import EncoderInfo
from records.format.schema import FeatureSpec
from tfcap.config.encoder import EncoderConfig, NetworkConfig
from tfcap.config.experiment import Config
from tfcap.config.loading import parse_config
from tfcap.encoders import Encoder
from tfcap.images.decoding import decode_photo

INFO = EncoderInfo(
    name="mean_colour",
    layer=None,
    pooling="avg",
    input_size=32,
    preprocessing="none",
    weights="none",
    digest="0" * 64,
)
SPLIT_OF = {"train": "abcdef", "dev": "gh", "test": "ij"}
PHOTOS = tuple(f"{letter}.jpg" for letters in SPLIT_OF.values() for letter in letters)


@lru_cache
def mean_colour(config: EncoderConfig) -> Encoder:
    """Features are the photo's mean colour; photos are decoded and fail as ever."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def graph(photos):
        def mean(photo):
            return tf.reduce_mean(tf.cast(decode_photo(photo), tf.float32), [0, 1])

        return tf.map_fn(mean, photos, fn_output_signature=tf.TensorSpec([3]))

    def network(pixels):
        return tf.reduce_mean(pixels, [1, 2])

    return Encoder(graph, network, INFO.input_size, (3,), INFO)


class CountingEncoder:
    """An `encoder_for` that counts photos, and breaks off after some batches."""

    def __init__(self, breaks_after: int | None = None):
        self.photos, self.batches = 0, 0
        self.breaks_after, self.lock = breaks_after, threading.Lock()
        self.info = INFO

    def __call__(self, config: EncoderConfig) -> "CountingEncoder":
        return self

    def __reduce__(self):
        # Beam copies its steps; every copy must count here.
        return _counting, (id(self),)

    def encode(self, photos):
        with self.lock:  # two batches at a time
            if self.batches == self.breaks_after:
                raise RuntimeError("the machine is switched off")
            self.batches += 1
            self.photos += len(photos)
        return mean_colour(NetworkConfig()).encode(photos)


_counters: dict[int, CountingEncoder] = {}


def _counting(key: int) -> CountingEncoder:
    return _counters[key]


def counting(breaks_after: int | None = None) -> CountingEncoder:
    encoder = CountingEncoder(breaks_after)
    _counters[id(encoder)] = encoder
    return encoder


def drawing(name: str, mode: str = "RGB") -> Image.Image:
    """A photo of two colours that depend on its name."""
    shade = sum(name.encode()) * 37 % 200
    image = Image.new("RGB", (40, 30), (shade, 255 - shade, 90))
    ImageDraw.Draw(image).ellipse((5, 5, 25, 25), (20, shade, 200))
    return image.convert(mode)


def photo_bytes(name: str, kind: str = "JPEG", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    drawing(name, mode).save(file, kind)
    return file.getvalue()


def corrupt_jpeg(name: str) -> bytes:
    """A JPEG whose header is whole and whose Huffman tables are not."""
    content = bytearray(photo_bytes(name))
    table = content.index(b"\xff\xc4") + 5
    content[table : table + 16] = b"\xff" * 16
    return bytes(content)


def huge_png() -> bytes:
    """60,000 x 60,000 pixels, says its header; there is no more of it."""
    size = struct.pack(">II", 60_000, 60_000) + photo_bytes("a", "PNG")[24:29]
    chunks = b"\x89PNG\r\n\x1a\n"
    for chunk in (b"IHDR" + size, b"IDAT" + zlib.compress(b"\0")):
        length, checksum = len(chunk) - 4, zlib.crc32(chunk)
        chunks += struct.pack(">I", length) + chunk + struct.pack(">I", checksum)
    return chunks


def huge_jpeg() -> bytes:
    """A whole JPEG, but its header says 50,000 x 50,000 pixels."""
    content = bytearray(photo_bytes("a"))
    frame = content.index(b"\xff\xc0") + 5
    content[frame : frame + 4] = struct.pack(">HH", 50_000, 50_000)
    return bytes(content)


def hostile_photos(count: int) -> Iterator[bytes]:
    """Files called photos that no decoder should be given, or that none can decode."""
    draw = random.Random(0)
    whole = photo_bytes("a")
    for i in range(count):
        noise = draw.randbytes(draw.randrange(1, 2000))
        yield (
            huge_png(),
            huge_jpeg(),
            corrupt_jpeg(f"{i}"),
            whole[:2] + noise,
            whole[: draw.randrange(1, 150)],
            noise,
            b"",
        )[i % 7]


def animated_gif() -> bytes:
    file = io.BytesIO()
    frames = [drawing("b"), drawing("c")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


def caption_lines(photo: str, count: int = 5) -> list[str]:
    letter = photo[0]
    return [
        f"{photo}#{i}\tA dog {letter * 2} runs {'x' * (i + 2)} ." for i in range(count)
    ]


class SmallData:
    """A data set in Flickr8k's layout; change its files, then `job` and `build`."""

    def __init__(self, folder: Path, photos: Iterable[str] = PHOTOS):
        self.folder = folder
        self.photos, self.splits = folder / "images", folder / "text"
        self.captions = self.splits / "Flickr8k.token.txt"
        self.photos.mkdir(parents=True)
        self.splits.mkdir()
        for name in photos:
            self.add_photo(name)
        self.write_lines(self.captions, [c for p in PHOTOS for c in caption_lines(p)])
        for split, letters in SPLIT_OF.items():
            self.write_split(split, [f"{letter}.jpg" for letter in letters])

    def add_photo(self, name: str, content: bytes | None = None) -> Path:
        path = self.photos / name
        path.write_bytes(photo_bytes(name) if content is None else content)
        os.utime(path, (1_600_000_000, 1_600_000_000))
        return path

    def write_split(self, split: str, photos: Iterable[str]) -> None:
        self.write_lines(self.splits / SPLIT_FILES[split], photos)

    def add(self, name: str, content: bytes | None, captions=None, split="train"):
        """Adds a photo with captions to a split; `content` None: no file."""
        if content is not None:
            self.add_photo(name, content)
        self.append(self.captions, captions or caption_lines(name))
        self.append(self.splits / SPLIT_FILES[split], [name])

    def append(self, path: Path, lines: Iterable[str | bytes]) -> None:
        self.write_lines(path, [*path.read_bytes().splitlines(), *lines])

    def write_lines(self, path: Path, lines: Iterable[str | bytes]) -> None:
        lines = (line if isinstance(line, bytes) else line.encode() for line in lines)
        path.write_bytes(b"".join(line + b"\n" for line in lines))

    def job(self, output: Path, max_reject_fraction: float = 1.0, **sections) -> Job:
        """A job with the fake encoder; e.g. `records={"photos_per_shard": 4}`."""
        return Job(
            photos=str(self.photos),
            source=Flickr8k(
                (str(self.captions),), Flickr8k.find_lists(str(self.splits))
            ),
            output=str(output),
            config=small_config(**sections),
            encoder=INFO,
            features=FeatureSpec(shape=(3,), dtype="float32"),
            max_reject_fraction=max_reject_fraction,
        )

    def flags(self, output: Path, config: Path) -> list[str]:
        """The command's flags, with the configuration file of `config`."""
        return [
            f"--config={config}",
            f"--photos={self.photos}",
            f"--captions={self.captions}",
            f"--splits={self.splits}",
            f"--output={output}",
        ]


def small_config(**sections) -> Config:
    content = {"tokenizer": {"min_count": 1}, **sections}
    content["records"] = {
        "photos_per_shard": 3,
        "encoder_batch": 2,
        **content.get("records", {}),
    }
    return parse_config(content, "test")


def build(job: Job, *flags: str, encoder_for=mean_colour, overwrite: bool = False):
    """What the command does, with another encoder."""
    options = PipelineOptions([*flags])
    with output_directory.claim(job.output, manifest.FILE_NAME, overwrite):
        return build_records.build(job, options, encoder_for)


def contents(folder: str | Path, *but: str) -> dict[str, bytes]:
    """Every file's bytes, by name."""
    files = [path for path in Path(folder).iterdir() if path.name not in but]
    return {path.name: path.read_bytes() for path in files}


def moved(job: Job, output: Path) -> Job:
    return replace(job, output=str(output))
