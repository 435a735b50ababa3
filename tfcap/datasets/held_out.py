"""Splits Flickr8k's photos at hand so that scores come from photos that chose nothing.

    python -m tfcap.datasets.held_out --splits data/flickr8k/Flickr8k_text \
        --photos data/flickr8k/Flicker8k_Dataset --output data/flickr8k/held_out

Settings were chosen on the official dev photos, so those give no honest score. Photos
are ordered by the SHA-256 of their names, and the lists, named as Flickr8k's, are

    Flickr_8k.testImages.txt    the first 1,000 of the training list: scored once
    Flickr_8k.devImages.txt     the first 500 of the dev list: for choosing
    Flickr_8k.trainImages.txt   all others of these two lists

The official test list is left alone. Names without a photo are left out.
"""

import argparse
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from records.console import run_command
from records.errors import UserError
from records.storage.files import make_output, write_text

LIST = "Flickr_8k.{}Images.txt"
FINAL, CHOOSING = 1000, 500


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tfcap.datasets.held_out",
        description="Write lists of Flickr8k's photos with 1,000 that chose nothing.",
        epilog="example: python -m tfcap.datasets.held_out --splits text "
        "--photos images --output held_out",
        allow_abbrev=False,
    )
    for name, text in {
        "splits": "directory of Flickr8k's lists",
        "photos": "directory of its photos",
        "output": "directory for the new lists",
    }.items():
        parser.add_argument(f"--{name}", type=Path, required=True, help=text)
    args = parser.parse_args(argv)
    lists = {split: read_list(args.splits, split) for split in ("train", "dev")}
    split_photos = hold_out(keep_present(lists, args.photos))
    write_lists(split_photos, args.output)
    for split, names in split_photos.items():
        print(f"{len(names):6,} {split}")
    return 0


def hold_out(lists: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Returns the names of each new split, sorted.

    Args:
        lists: names of the official lists `train` and `dev`.

    Raises:
        UserError: no photo is left to train on or to choose with.

    >>> names = {"train": [f"{i}.jpg" for i in range(1200)], "dev": ["x.jpg", "y.jpg"]}
    >>> {split: len(photos) for split, photos in hold_out(names).items()}
    {'train': 200, 'dev': 2, 'test': 1000}
    """
    train, dev = (sorted(lists[split], key=name_hash) for split in ("train", "dev"))
    if len(train) <= FINAL or not dev:
        raise UserError(
            f"of the photos of both lists {len(train)} of train and {len(dev)} of dev "
            f"are present; expected more than {FINAL} of train and 1 of dev: check "
            "--photos and --splits"
        )
    return {
        "train": sorted(train[FINAL:] + dev[CHOOSING:]),
        "dev": sorted(dev[:CHOOSING]),
        "test": sorted(train[:FINAL]),
    }


def name_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def read_list(directory: Path, split: str) -> list[str]:
    path = directory / LIST.format(split)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--splits: cannot read {path}: {error}") from None
    return [line.strip() for line in lines if line.strip()]


def keep_present(
    lists: Mapping[str, Iterable[str]], photos: Path
) -> dict[str, list[str]]:
    try:
        present = {path.name for path in photos.iterdir()}
    except OSError as error:
        raise UserError(f"--photos: cannot read {photos}: {error.strerror}") from None
    return {
        split: [name for name in dict.fromkeys(names) if name in present]
        for split, names in lists.items()
    }


def write_lists(split_photos: Mapping[str, Iterable[str]], output: Path) -> None:
    make_output(str(output), "--output")
    for split, names in split_photos.items():
        write_text(
            str(output / LIST.format(split)), "".join(f"{name}\n" for name in names)
        )


if __name__ == "__main__":
    raise SystemExit(run_command(main))
