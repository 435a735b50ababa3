"""The subcommand `tfcap caption`."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from records.batching import batched
from records.console import add_command, print_plain, visible
from records.status_line import status_line
from records.tensorflow_logging import silence_startup
from records.wording import counted

if TYPE_CHECKING:
    from tfcap.inference.captioner import Captioner, Explained

BATCH = 32
NO_PICTURES = (
    "--explain: no pictures, because this model does not attend to places of a photo; "
    "train one with model.name attention or transformer on records of encoder.pooling "
    "grid"
)
NOT_SORTED = (
    "the best caption of a photo is first, as the search ranks them; the number is the "
    "mean log-probability of a caption's tokens, which this search does not rank by "
    "alone: it weighs length or agreement with the other captions"
)


def add_caption(commands: Any) -> None:
    parser = add_command(
        commands,
        "caption",
        caption,
        "caption photos with an exported model",
        "--model export/flickr8k photo.jpg 'more/*.png' folder --best 3",
    )
    parser.add_argument(
        "--model", required=True, help="directory that `tfcap export` wrote"
    )
    parser.add_argument(
        "--best",
        type=int,
        default=1,
        metavar="N",
        help="captions per photo, at most the beam width",
    )
    parser.add_argument(
        "--explain",
        metavar="PATH",
        help="draw the attention weights of each word: one picture per photo in this "
        "directory, or a single photo's picture in this .png file",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "photos", nargs="+", metavar="PHOTO", help="a file, a folder or a pattern"
    )


def caption(args: argparse.Namespace) -> int:
    silence_startup()
    from tfcap.images.paths import photo_paths
    from tfcap.inference.captioner import Captioner
    from tfcap.memory import FREE_SOME, named_memory_errors

    paths = photo_paths(args.photos)
    check_arguments(args, paths)
    pictures = places(paths, args.explain) if args.explain else {}
    rows = []
    with named_memory_errors(FREE_SOME):
        with status_line("loading the model"):
            captioner = Captioner(args.model)
        for row in caption_files(captioner, paths, args.best, pictures):
            rows.append(row)
            if row["error"]:
                print_plain(f"{row['photo']}: {row['error']}", file=sys.stderr)
            elif not args.json:
                print_captions(row)
    if args.json:
        print(json.dumps({"captions": rows}))
    captioned = [row for row in rows if not row["error"]]
    if pictures and captioned and not any("picture" in row for row in captioned):
        print(NO_PICTURES, file=sys.stderr)
    if not args.json and any(map(is_unsorted, captioned)):
        print(NOT_SORTED, file=sys.stderr)
    return int(any(row["error"] for row in rows))


def check_arguments(args: argparse.Namespace, paths: Sequence[str]) -> None:
    from records.errors import UserError

    if args.best < 1:
        raise UserError(f"--best: 1 or more; received {args.best}")
    if is_picture(args.explain) and len(paths) > 1:
        raise UserError(
            f"--explain: one picture, {args.explain}, for {len(paths)} photos; name a "
            "directory"
        )


def places(paths: Sequence[str], explain: str) -> dict[str, str]:
    """Returns the path of each photo's picture.

    Names of pictures include the folder where two photos have the same name.
    """
    if is_picture(explain):
        return {paths[0]: explain}
    names = [os.path.basename(path) for path in paths]
    if len(set(names)) < len(names):
        names = [os.path.normpath(path).strip("./").replace("/", "_") for path in paths]
    return {p: os.path.join(explain, f"{name}.png") for p, name in zip(paths, names)}


def print_captions(row: dict) -> None:
    print_plain(f"{row['score']:7.3f}  {row['photo']}  {row['caption']}")
    for other in row.get("best", [])[1:]:
        print_plain(
            f"{other['score']:7.3f}  {'':{len(visible(row['photo']))}}  "
            f"{other['caption']}"
        )


def is_unsorted(row: dict) -> bool:
    """Returns whether a photo's captions are not in the order of their scores."""
    scores = [other["score"] for other in row.get("best", [])]
    return scores != sorted(scores, reverse=True)


def caption_files(
    captioner: "Captioner", paths: Sequence[str], count: int, pictures: dict[str, str]
) -> Iterator[dict]:
    """Yields a row per photo; its `error` says why a photo could not be read.

    Args:
        captioner: The exported model.
        paths: Paths of the photos.
        count: Captions per photo.
        pictures: Path of a photo -> path of the picture to draw.
    """
    for batch in batched(paths, BATCH):
        if count > 1 or pictures:
            rows = described(captioner, batch, count, pictures)
        else:
            rows = map(vars, captioner.caption(batch))
        yield from ({"photo": path, **row} for path, row in zip(batch, rows))


def described(
    captioner: "Captioner", paths: Sequence[str], count: int, pictures: dict[str, str]
) -> Iterator[dict]:
    """Yields rows with the other captions; draws the pictures asked for."""
    from tfcap.inference.captioner import Captioned

    for path, explained in zip(paths, captioner.explain(paths)):
        if explained.error:
            yield vars(Captioned.failed(explained.error))
            continue
        row = {**vars(explained.beams[0]), "best": best(explained, count)}
        if path in pictures and explained.looks_at_places():
            draw(path, explained, pictures[path])
            row["picture"] = pictures[path]
        yield row


def best(explained: "Explained", count: int) -> list[dict]:
    from records.errors import UserError

    beams = explained.beams
    if count > len(beams):
        raise UserError(
            f"--best {count}: this export searches with "
            f"{counted(len(beams), 'beam')}; "
            f"write another: tfcap export ... --set decoding.beam_width={count}"
        )
    return [{"caption": beam.caption, "score": beam.score} for beam in beams[:count]]


def draw(photo: str, explained: "Explained", path: str) -> None:
    """Writes the picture of a photo's attention weights to a path.

    Raises:
        UserError: The file cannot be written.
    """
    from records.photo_header import MAX_BYTES
    from records.storage.files import make_output, read_file, write_atomically
    from tfcap.inference.attention_plot import attention_picture

    make_output(os.path.dirname(path) or ".", "--explain")
    content = read_file(photo, MAX_BYTES)
    write_atomically(path, attention_picture(content, explained))


def is_picture(path: str | None) -> bool:
    return path is not None and path.lower().endswith(".png")
