"""The options of `build_records` for the source of the captions."""

import argparse
import math

from beam_jobs.sources.base import Source
from beam_jobs.sources.flickr8k import Flickr8k
from beam_jobs.sources.json_source import parse_option
from beam_jobs.sources.registry import describe_source, find_source, source_names
from records.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    names = source_names()
    needs = "; ".join(map(describe_source, names)).replace("%", "%%")
    parser.add_argument(
        "--source",
        choices=names,
        default=Flickr8k.name,
        help=f"form of the captions (default {Flickr8k.name}), and what it needs. "
        f"{needs}",
    )
    parser.add_argument(
        "--captions",
        action="append",
        default=[],
        metavar="FILE",
        help="caption file, e.g. Flickr8k.token.txt; for coco and jsonl train=FILE, "
        "repeated",
    )
    parser.add_argument(
        "--splits",
        metavar="DIR",
        help="directory of the split lists, e.g. Flickr_8k.trainImages.txt",
    )
    parser.add_argument(
        "--field",
        action="append",
        default=[],
        type=field,
        metavar="ROLE=NAME",
        help="name of a field of the samples, e.g. caption=description, repeated for "
        "several captions; roles: photo, caption, name, split",
    )
    parser.add_argument(
        "--split_fractions",
        type=fractions,
        metavar="TRAIN,DEV,TEST",
        help="split photos by a hash of their ids instead, e.g. 0.9,0.05,0.05: a photo "
        "stays in its split when others are added",
    )


def field(text: str) -> tuple[str, str]:
    """Reads `caption=description`."""
    role, _, name = text.partition("=")
    if not role or not name:
        raise argparse.ArgumentTypeError(
            f"expected ROLE=NAME, e.g. caption=description; received {text}"
        )
    return role, name


def fractions(text: str) -> tuple[float, float, float]:
    """Reads `0.9,0.05,0.05`."""
    try:
        train, dev, test = map(float, text.split(","))
    except ValueError:
        train = dev = test = math.nan
    whole = math.isclose(train + dev + test, 1, abs_tol=1e-6)
    if not (whole and train > 0 and min(dev, test) >= 0):
        raise argparse.ArgumentTypeError(
            "expected the parts of train, dev and test, with 1 for a sum and train "
            f"above 0, e.g. 0.9,0.05,0.05; received {text}"
        )
    return train, dev, test


def check_options(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Exits with 2 where the options do not suit the source."""
    try:
        drawn = args.split_fractions is not None
        source = find_source(args.source)
        source.check_options(args.captions, args.splits, drawn)
        source.check_fields(args.field)
    except UserError as error:
        parser.error(str(error))


def open_source(args: argparse.Namespace, check_inputs: bool = True) -> Source:
    """Returns the source that the options name; checks its files for mistakes first."""
    return find_source(args.source).from_options(args, check_inputs)


def places(args: argparse.Namespace) -> dict[str, list[str]]:
    """Returns, for each option, the paths in it, without the split before them."""
    captions = [parse_option(option)[1] for option in args.captions]
    return {"--captions": captions, "--splits": [args.splits] if args.splits else []}
