"""The subcommand `tfcap export`."""

import argparse
from typing import TYPE_CHECKING, Any

from records.console import add_command
from records.status_line import status_line
from records.storage.cache import FileCache, add_cache
from records.tensorflow_logging import silence_startup
from tfcap.cli.options import add_set, command_line, decoding_config

if TYPE_CHECKING:
    from tfcap.export.signatures import PhotoCaptioner


def add_export(commands: Any) -> None:
    parser = add_command(
        commands,
        "export",
        export,
        "write a SavedModel: photo bytes in, caption out",
        "--workdir runs/flickr8k --output export/flickr8k",
    )
    parser.add_argument(
        "--workdir",
        required=True,
        action="append",
        metavar="DIR",
        help="work directory of a run. Repeat it, or name a directory that holds runs "
        "of several seeds, to export an ensemble",
    )
    parser.add_argument("--output", required=True, help="directory of the export")
    parser.add_argument(
        "--encoder_weights",
        metavar="FILE",
        help="path of the encoder weights, if they moved since the records were built",
    )
    parser.add_argument(
        "--encoder_model",
        metavar="PATH",
        help="path of a custom encoder model, if it moved since the records were built",
    )
    parser.add_argument(
        "--encoder_preset",
        metavar="DIR",
        help="directory of the encoder's preset, if it moved since the records were "
        "built",
    )
    parser.add_argument(
        "--records", metavar="DIR", help="records of the run, for decoding.consensus"
    )
    parser.add_argument("--overwrite", action="store_true")
    parser.add_argument(
        "--weights",
        choices=["float32", "float16"],
        default="float32",
        help="dtype of the stored weights; float16 halves the size of the export",
    )
    parser.add_argument(
        "--data_licence", metavar="TEXT", help="licence of the data, for the model card"
    )
    parser.add_argument(
        "--check",
        nargs="+",
        metavar="PHOTO",
        help="caption these files, folders or patterns with the trained model and with "
        "the export, and print both",
    )
    add_cache(parser)
    add_set(parser, "decoding.")
    parser.epilog = (
        f"{parser.epilog}. Beam width and longest caption: --set decoding.beam_width=5 "
        "--set decoding.max_length=20. Exit code 1 if --check finds that float32 "
        "captions differ"
    )


def export(args: argparse.Namespace) -> int:
    silence_startup()
    from tfcap.memory import FREE_SOME, named_memory_errors

    with named_memory_errors(FREE_SOME):
        return write_export(args)


def write_export(args: argparse.Namespace) -> int:
    from tfcap.export import model_card
    from tfcap.export.builder import photo_captioner
    from tfcap.export.saved_model import check_output, size
    from tfcap.export.saved_model import export as write
    from tfcap.runs.ensemble import open_members
    from tfcap.runs.seeds import find_runs

    # Both are checked before the model is read, which takes long.
    check_output(args.output, args.overwrite)
    photos = photos_to_check(args.check or [])
    members, half = open_members(find_runs(args.workdir)), args.weights == "float16"
    decoding = decoding_config(members[0], args)
    with status_line("loading the model and its encoder"):
        captioner = photo_captioner(
            members,
            decoding,
            args.encoder_weights,
            args.encoder_model,
            half,
            args.records,
            args.encoder_preset,
            FileCache(args.cache, args.cache_gb),
        )
    card = model_card.describe(members, decoding, half, args.data_licence)
    with status_line("writing the model, up to a minute"):
        path = write(captioner, args.output, args.overwrite, card)
    print(
        f"SavedModel: {path} ({size(path) / 1e6:.1f} MB, weights {args.weights})\n"
        "warm-up requests for TensorFlow Serving in it\n"
        f"try it: {command_line('caption', 'PHOTO.jpg', model=args.output)}"
    )
    return check_export(captioner, photos, args) if photos else 0


def photos_to_check(patterns: list[str]) -> list[str]:
    from records.errors import UserError
    from records.storage.files import exists
    from tfcap.images.paths import photo_paths

    paths = photo_paths(patterns)
    for path in paths:
        if not exists(path):
            raise UserError(f"--check: there is no file {path}")
    return paths


def check_export(
    captioner: "PhotoCaptioner", photos: list[str], args: argparse.Namespace
) -> int:
    """Prints captions of trained model and export; returns 1 if they disagree."""
    from records.console import plain_console
    from tfcap.export.parity import compare, comparison, in_words
    from tfcap.inference.captioner import Captioner

    pairs = compare(captioner, Captioner(args.output), photos)
    console = plain_console()
    console.print(comparison(pairs))
    console.print(in_words(pairs))
    return int(args.weights == "float32" and not all(p.agrees() for p in pairs))
