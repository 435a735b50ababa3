"""Draws the data set of the demo: shapes on grounds such as grass, with captions.

    python -m tfcap.datasets.synthetic OUT [--train 800] [--dev 100] [--test 100]

The layout is Flickr8k's:

    OUT/images/1000268201_693b08cb0e.jpg ...
    OUT/text/Flickr8k.token.txt              NAME.jpg#0<TAB>caption, five lines a photo
    OUT/text/Flickr_8k.trainImages.txt       a photo's name a line; also dev and test

Photo i is a function of seed and i; the counts do not change it. A thousand photos take
four seconds and 5 MB.
"""

import argparse
import hashlib
import itertools
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from records.console import run_command
from records.errors import UserError

Rgb = tuple[int, int, int]  # levels, of 255
Point = tuple[float, float]  # x and y, to the right and down
SPLITS = {"train": 800, "dev": 100, "test": 100}
MIN_SIZE = 32
OVERSAMPLING = 4  # Pillow draws polygons with jagged edges: draw large, then shrink.


class Ground(NamedTuple):
    """A background: a colour, and noise stretched over it (blades, waves)."""

    name: str
    rgb: Rgb
    grain: tuple[int, int]  # columns and rows of noise per photo
    contrast: float  # standard deviation of the noise, in levels


GROUNDS = (
    Ground("green grass", (96, 158, 72), (70, 14), 12),
    Ground("blue water", (70, 130, 190), (7, 35), 9),
    Ground("yellow sand", (226, 200, 134), (90, 90), 8),
    Ground("white snow", (236, 240, 246), (9, 7), 4),
    Ground("grey stone", (128, 128, 132), (22, 22), 8),
    Ground("brown wood", (150, 104, 66), (3, 40), 9),
)
COLOURS: dict[str, Rgb] = {
    "red": (214, 30, 36),
    "orange": (246, 130, 20),
    "yellow": (250, 214, 20),
    "green": (20, 120, 40),
    "blue": (30, 60, 200),
    "purple": (138, 40, 160),
    "black": (24, 24, 28),
    "white": (250, 250, 250),
}
# Radius of the circle around a shape, as a fraction of the photo's side.
RADII = {"small": 0.2, "large": 0.37}
SYNONYMS = {"small": "little", "large": "big"}
# Centres, as fractions of the photo's side. A large shape fits only in the middle.
MIDDLE = "in the middle"
PLACES = {MIDDLE: (0.5, 0.5), "on the left": (0.28, 0.5), "on the right": (0.72, 0.5)}


def _spokes(count: int, inner: float = 1.0) -> list[Point]:
    """Returns `count` corners at radius 1, from the top, and as many at `inner`."""
    angles = [math.pi * i / count for i in range(2 * count)]
    radii = (1.0, inner) * count
    return [(r * math.sin(a), -r * math.cos(a)) for r, a in zip(radii, angles)]


def _ring(inner: float) -> list[Point]:
    """Returns a ring as one polygon: around the outside, then back on the inside."""
    outside = _spokes(36) + _spokes(36)[:1]
    return outside + [(inner * x, inner * y) for x, y in reversed(outside)]


# Corners, and words for them. The shapes are few and dissimilar, because an encoder
# with random weights must distinguish them.
SHAPES: dict[str, tuple[list[Point], str]] = {
    "circle": (_spokes(36), "no corners"),
    "triangle": (_spokes(3, 0.5), "three corners"),
    "star": (_spokes(5, 0.37), "five points"),
    "ring": (_ring(0.7), "a round hole"),
    "bar": ([(-1, -0.3), (1, -0.3), (1, 0.3), (-1, 0.3)], "four corners"),
}
# No two templates give the same caption.
TEMPLATES = (
    "a {thing} lies on {ground} .",
    "a {thing} rests on the {ground} .",
    "a {thing} with {detail} on {ground} .",
    "a {thing} {place} of the {ground} .",
    "one {thing} is {place} of the photo , on {ground} .",
    "there is a {thing} on {ground} .",
    "this picture shows a {thing} on {ground} .",
    "the {ground} has a {thing} on it .",
)


class Scene(NamedTuple):
    """The content of a photo: a ground, and keys of the four dictionaries above."""

    ground: Ground
    colour: str
    shape: str
    size: str
    place: str


def imagine(rng: random.Random) -> Scene:
    """Draws a scene at random; a shape never has the colour of its ground."""
    ground, size = rng.choice(GROUNDS), rng.choice(list(RADII))
    colour = rng.choice([c for c in COLOURS if c not in ground.name.split()])
    place = rng.choice(list(PLACES)) if size == "small" else MIDDLE
    return Scene(ground, colour, rng.choice(list(SHAPES)), size, place)


def describe(scene: Scene, rng: random.Random) -> list[str]:
    """Returns five captions, such as "A small red star lies on white snow ."."""
    return [_fill(template, scene, rng) for template in rng.sample(TEMPLATES, 5)]


def _fill(template: str, scene: Scene, rng: random.Random) -> str:
    size = SYNONYMS[scene.size] if rng.random() < 0.2 else scene.size
    caption = template.format(
        thing=f"{size} {scene.colour} {scene.shape}",
        detail=SHAPES[scene.shape][1],
        ground=scene.ground.name,
        place=scene.place,
    )
    # Some of Flickr8k's captions begin in lower case too.
    return caption if rng.random() < 0.1 else caption[0].upper() + caption[1:]


def draw(scene: Scene, size: int, rng: random.Random) -> Image.Image:
    """Draws the scene in RGB, [size, size]; `rng` varies light, grain and turn."""
    light, depth = rng.uniform(-8, 8), max(1, round(size * 0.02))
    photo, shape = _ground(scene.ground, light, size, rng), _outline(scene, size, rng)
    shadow = ImageChops.offset(shape, depth).filter(ImageFilter.GaussianBlur(depth))
    photo.paste((0, 0, 0), mask=shadow.point(lambda level: level * 2 // 5))
    shade = np.linspace(light + 14, light - 14, size)[:, None].repeat(size, axis=1)
    photo.paste(_coloured(COLOURS[scene.colour], shade), mask=shape)
    return photo


def _ground(ground: Ground, light: float, size: int, rng: random.Random) -> Image.Image:
    columns, rows = ground.grain
    noise = np.random.default_rng(rng.getrandbits(32)).normal(size=(rows, columns))
    coarse = Image.fromarray(noise.astype(np.float32))
    fine = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))
    return _coloured(ground.rgb, light + ground.contrast * fine)


def _coloured(rgb: Rgb, levels: np.ndarray) -> Image.Image:
    """Returns an image of a colour, lighter by `levels` [rows, columns]."""
    pixels = np.array(rgb) + levels[:, :, None]
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


def _outline(scene: Scene, size: int, rng: random.Random) -> Image.Image:
    """Returns a mask: 255 on the shape, 0 beside it, between them along its edge."""
    large = size * OVERSAMPLING
    mask = Image.new("L", (large, large))
    corners = [(x * large, y * large) for x, y in _corners(scene, rng)]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    return mask.resize((size, size), Image.Resampling.BOX)


def _corners(scene: Scene, rng: random.Random) -> list[Point]:
    """Returns the corners, turned and placed, as fractions of the photo's side."""
    turn = math.radians(rng.uniform(-7, 7))
    radius = RADII[scene.size] * rng.uniform(0.96, 1.04)
    right, down = (centre + rng.uniform(-0.03, 0.03) for centre in PLACES[scene.place])
    cos, sin = radius * math.cos(turn), radius * math.sin(turn)
    corners, _ = SHAPES[scene.shape]
    return [(right + x * cos - y * sin, down + x * sin + y * cos) for x, y in corners]


def photo_name(seed: int, index: int) -> str:
    """Returns a name like Flickr8k's: ten digits, then ten hexadecimal ones."""
    digest = hashlib.md5(f"{seed}/{index}".encode()).hexdigest()
    return f"{10**9 + int(digest[:12], 16) % (9 * 10**9)}_{digest[12:22]}.jpg"


def write_data_set(output: Path, counts: dict[str, int], size: int, seed: int) -> None:
    """Writes `counts[split]` photos of each split, and their captions, under `output`.

    Raises:
        UserError: a count or size is wrong, the folder holds photos already, or a file
            cannot be written.
    """
    _check(output, counts, size)
    try:
        (output / "images").mkdir(parents=True, exist_ok=True)
        (output / "text").mkdir(exist_ok=True)
        _write(output, counts, size, seed)
    except OSError as error:
        raise UserError(
            f"cannot write under {output}: {error.strerror or error}"
        ) from None


def _check(output: Path, counts: dict[str, int], size: int) -> None:
    if min(counts.values()) < 0 or not any(counts.values()):
        raise UserError(f"counts must be 0 or more and not all 0; received {counts}")
    if size < MIN_SIZE:
        raise UserError(f"--size must be {MIN_SIZE} pixels or more; received {size}")
    if any((images := output / "images").glob("*")):
        raise UserError(f"{images} is not empty: remove it or choose another place")


def _write(output: Path, counts: dict[str, int], size: int, seed: int) -> None:
    names = [photo_name(seed, index) for index in range(sum(counts.values()))]
    captions = []
    for index, name in enumerate(names):
        rng = random.Random(f"{seed}/{index}")
        scene = imagine(rng)
        draw(scene, size, rng).save(output / "images" / name, quality=92)
        captions += [f"{name}#{i}\t{c}" for i, c in enumerate(describe(scene, rng))]
    rest, texts = iter(names), {"Flickr8k.token.txt": sorted(captions)}
    for split, count in counts.items():
        texts[f"Flickr_8k.{split}Images.txt"] = list(itertools.islice(rest, count))
    for name, lines in texts.items():
        (output / "text" / name).write_bytes("\n".join([*lines, ""]).encode())


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tfcap.datasets.synthetic",
        description="Draws a small data set with captions, laid out as Flickr8k is.",
        epilog="example: python -m tfcap.datasets.synthetic photos --train 800",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("output", type=Path, metavar="OUT", help="folder to write to")
    for split, count in SPLITS.items():
        parser.add_argument(f"--{split}", type=int, default=count, help="photos")
    parser.add_argument("--size", type=int, default=139, help="side, in pixels")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes")
    args = parser.parse_args(argv)
    counts = {split: vars(args)[split] for split in SPLITS}
    write_data_set(args.output, counts, args.size, args.seed)


if __name__ == "__main__":
    raise SystemExit(run_command(main))
