"""`tfcap caption`."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence

from records.batching import batched
from records.console import add_command, print_plain, visible
from records.tensorflow_logging import silence_startup

BATCH = 32


def add_caption(commands) -> None:
    parser = add_command(
        commands,
        "caption",
        caption,
        "caption photos with an exported model",
        "--model export/flickr8k photo.jpg 'more/*.png' folder --best 3",
    )
    parser.add_argument("--model", required=True, help="what `tfcap export` wrote")
    parser.add_argument(
        "--best",
        type=int,
        default=1,
        metavar="N",
        help="captions of each photo, best first; at most the export's beam width",
    )
    parser.add_argument(
        "--explain",
        metavar="PATH",
        help="draw where the model looked for each word: a picture a photo, in this "
        "directory, or of a single photo in this .png file",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, no lines")
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
        captioner = Captioner.load(args.model)
        for row in caption_files(captioner, paths, args.best, pictures):
            rows.append(row)
            if row["error"]:
                print_plain(f"{row['photo']}: {row['error']}", file=sys.stderr)
            elif not args.json:
                print_captions(row)
    if args.json:
        print(json.dumps({"captions": rows}))
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
    """Path of a photo -> that of its picture; of one name, the folder is part of it."""
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


def caption_files(
    captioner, paths: Sequence[str], count: int, pictures: dict[str, str]
) -> Iterator[dict]:
    """Yields a row a photo; that of one that cannot be read has its error.

    Args:
        count: captions of each.
        pictures: path of a photo -> of the picture to draw of it.
    """
    from tfcap.inference.captioner import caption_within

    for batch in batched(paths, BATCH):
        photos, rows = read(batch)
        if count > 1 or pictures:
            rows |= described(captioner, photos, count, pictures)
        else:
            found = caption_within(captioner, list(photos.values()))
            rows |= {path: vars(one) for path, one in zip(photos, found)}
        yield from ({"photo": path, **rows[path]} for path in batch)


def read(paths: Sequence[str]) -> tuple[dict[str, bytes], dict[str, dict]]:
    """Path -> bytes of the files, and -> the row of those that cannot be read."""
    from records.photo_header import MAX_BYTES
    from records.storage.files import read_file, reason

    photos, errors = {}, {}
    for path in paths:
        try:
            photos[path] = read_file(path, MAX_BYTES)
        except OSError as error:
            errors[path] = {"caption": "", "score": 0.0, "error": reason(error)}
    return photos, errors


def described(
    captioner, photos: dict[str, bytes], count: int, pictures: dict[str, str]
) -> dict[str, dict]:
    """Rows with the other captions found and, if asked for, a picture."""
    from tfcap.inference.captioner import explain_within

    rows = {}
    for path, found in zip(photos, explain_within(captioner, list(photos.values()))):
        if found.error:
            rows[path] = {"caption": "", "score": 0.0, "error": found.error}
            continue
        rows[path] = {**vars(found.beams[0]), "best": best(found, count)}
        if path in pictures:
            draw(photos[path], found, pictures[path])
            rows[path]["picture"] = pictures[path]
    return rows


def best(found, count: int) -> list[dict]:
    from records.errors import UserError

    if count > len(found.beams):
        raise UserError(
            f"--best {count}: this export searches with {len(found.beams)} beam(s); "
            f"write another: tfcap export ... --set decoding.beam_width={count}"
        )
    return [{"caption": one.caption, "score": one.score} for one in found.beams[:count]]


def draw(photo: bytes, found, place: str) -> None:
    """Writes the picture of a photo.

    Raises:
        UserError: the model does not look at places, or the file cannot be written.
    """
    from records.errors import UserError
    from records.storage.files import make_output, write_atomically
    from tfcap.inference.attention_plot import attention_picture

    if not found.looks_at_places():
        raise UserError(
            "--explain: this model does not look at places of a photo; train one with "
            "model.name attention or transformer on records of encoder.pooling grid"
        )
    make_output(os.path.dirname(place) or ".", "--explain")
    write_atomically(place, attention_picture(photo, found))


def is_picture(place: str | None) -> bool:
    return place is not None and place.lower().endswith(".png")
