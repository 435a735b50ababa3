"""Photos and captions in Flickr8k's layout, of any number, for measuring the Beam job.

A few dozen different photos stand under many names (hard links): what is read, decoded
and encoded is as much work as if all were different. They are 500 x 375 pixels of
smooth noise.
"""

import io
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from beam_jobs import build_records
from beam_jobs.build_job import Job
from beam_jobs.runners.options import parse_command
from beam_jobs.sources.flickr8k import SPLIT_FILES
from tests.benchmarks.record_set import CAPTIONS_PER_PHOTO, WORDS

DIFFERENT = 64
LINKS = 10_000  # of one file; file systems have a limit
LETTERS = "aeioulnrstdm"


class PhotoSet:
    """A data set in a folder, all of it training photos but one each of dev and test.

    Args:
        folder: made if it is not there.
        count: photos.
        pixels: width and height.
    """

    def __init__(self, folder: Path, count: int, pixels: tuple[int, int] = (500, 375)):
        self.photos, self.text = folder / "images", folder / "text"
        self.captions = self.text / "Flickr8k.token.txt"
        self.names = [f"{i:08d}.jpg" for i in range(count)]
        self.training = self.names[2:]
        self.photos.mkdir(parents=True)
        self.text.mkdir()
        self.draw(pixels)
        self.write_text()

    def draw(self, pixels: tuple[int, int]) -> None:
        random = np.random.default_rng(0)
        contents = [draw_photo(random, pixels) for _ in range(DIFFERENT)]
        for first in range(0, len(self.names), LINKS * DIFFERENT):
            names = self.names[first : first + LINKS * DIFFERENT]
            for name, content in zip(names, contents):
                (self.photos / name).write_bytes(content)
            for i, name in enumerate(names[DIFFERENT:]):
                os.link(self.photos / names[i % DIFFERENT], self.photos / name)

    def write_text(self) -> None:
        words = draw_words(np.random.default_rng(1))
        with self.captions.open("w") as file:
            for name in self.names:
                for i in range(CAPTIONS_PER_PHOTO):
                    file.write(f"{name}#{i}\t{next(words)} .\n")
        lists = {"dev": self.names[:1], "test": self.names[1:2]}
        for split, file_name in SPLIT_FILES.items():
            names = lists.get(split, self.training)
            (self.text / file_name).write_text("".join(f"{n}\n" for n in names))

    def paths(self) -> list[str]:
        return [str(self.photos / name) for name in self.names]

    def flags(self, config: Path, output: Path, *more: str) -> list[str]:
        """Of `python -m beam_jobs.build_records`."""
        return [
            f"--config={config}",
            f"--photos={self.photos}",
            f"--captions={self.captions}",
            f"--splits={self.text}",
            f"--output={output}",
            *more,
        ]

    def job(self, config: Path, output: Path, *more: str) -> Job:
        flags = self.flags(config, output, *more)
        return build_records.make_job(
            parse_command(build_records.make_parser(), flags)[0]
        )


def draw_photo(random: np.random.Generator, pixels: tuple[int, int]) -> bytes:
    coarse = random.integers(0, 256, [24, 32, 3], np.uint8)
    file = io.BytesIO()
    Image.fromarray(coarse).resize(pixels, Image.BICUBIC).save(file, "JPEG", quality=95)
    return file.getvalue()


def draw_words(random: np.random.Generator) -> Iterator[str]:
    """Captions without end, of Flickr8k's lengths and Zipf's word frequencies."""
    words = ["".join(letters) for letters in itertools.product(LETTERS, repeat=3)]
    share = 1 / np.arange(1, len(words) + 1)
    lengths = np.repeat(list(WORDS), list(WORDS.values()))
    while True:
        drawn = random.choice(len(words), 20_000, p=share / share.sum())
        start = 0
        while start + max(WORDS) < len(drawn):
            length = random.choice(lengths)
            yield " ".join(words[i] for i in drawn[start : start + length])
            start += length
