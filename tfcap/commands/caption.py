"""`tfcap caption`."""

import argparse
import json
import sys
from collections.abc import Sequence

from records.console import add_command


def add_caption(commands) -> None:
    parser = add_command(
        commands,
        "caption",
        caption,
        "caption photos with an exported model",
        "--model export/flickr8k photo.jpg",
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("photos", nargs="+", metavar="PHOTO")


def caption(args: argparse.Namespace) -> int:
    import records.quiet  # noqa: F401
    from tfcap.captioning import Captioner

    captioner = Captioner.load(args.model)
    found = list(caption_files(captioner, args.photos))
    if args.json:
        rows = [{"photo": path, **vars(row)} for path, row in found]
        print(json.dumps({"captions": rows}))
    for path, row in found:
        if row.error:
            print(f"{path}: {row.error}", file=sys.stderr)
        elif not args.json:
            print(f"{row.score:7.3f}  {path}  {row.caption}")
    return int(any(row.error for _, row in found))


def caption_files(captioner, paths: Sequence[str], batch: int = 32):
    """Yields (path, Captioned); a file that cannot be read has its error."""
    from tfcap.captioning import Captioned

    for start in range(0, len(paths), batch):
        photos, errors = {}, {}
        for path in paths[start : start + batch]:
            try:
                with open(path, "rb") as file:
                    photos[path] = file.read()
            except OSError as error:
                errors[path] = Captioned("", 0.0, error.strerror)
        rows = dict(zip(photos, captioner.caption(list(photos.values()))))
        for path in paths[start : start + batch]:
            yield path, (rows | errors)[path]
