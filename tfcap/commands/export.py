"""`tfcap export`."""

import argparse

from records.console import add_command
from tfcap.commands.overrides import add_set, decoding_config


def add_export(commands) -> None:
    parser = add_command(
        commands,
        "export",
        export,
        "write a SavedModel: photo bytes in, caption out",
        "--workdir runs/flickr8k --output export/flickr8k",
    )
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument(
        "--encoder_weights", metavar="FILE", help="if they are not where they were"
    )
    parser.add_argument(
        "--encoder_model",
        metavar="PATH",
        help="a model of your own, if it is not where it was",
    )
    parser.add_argument(
        "--records", metavar="DIR", help="of the run, for decoding.consensus"
    )
    parser.add_argument("--overwrite", action="store_true")
    parser.add_argument(
        "--weights",
        choices=["float32", "float16"],
        default="float32",
        help="how weights are kept; float16 halves the export",
    )
    parser.add_argument(
        "--data_licence", metavar="TEXT", help="of the data, for the model card"
    )
    parser.add_argument(
        "--check",
        nargs="+",
        metavar="PHOTO",
        help="caption these by the live model and by the export, side by side",
    )
    add_set(parser)
    parser.epilog += (
        ". Beam width and longest caption: --set decoding.beam_width=5 "
        "--set decoding.max_length=20. Exit code 1 if --check finds that float32 "
        "captions differ"
    )


def export(args: argparse.Namespace) -> int:
    import records.quiet  # noqa: F401
    from tfcap.export import export as write
    from tfcap.export import model_card, photo_captioner
    from tfcap.export.saving import size
    from tfcap.workdir import Workdir

    workdir, half = Workdir.open(args.workdir), args.weights == "float16"
    decoding = decoding_config(workdir, args)
    captioner = photo_captioner(
        workdir,
        decoding,
        args.encoder_weights,
        args.encoder_model,
        half,
        args.records,
    )
    card = model_card.describe(workdir, decoding, half, args.data_licence)
    path = write(captioner, args.output, args.overwrite, card)
    print(
        f"SavedModel: {path} ({size(path) / 1e6:.1f} MB, weights {args.weights})\n"
        f"try it: tfcap caption --model {args.output} PHOTO.jpg"
    )
    return check_export(captioner, args) if args.check else 0


def check_export(captioner, args: argparse.Namespace) -> int:
    """Prints live model and export side by side; 1 if they disagree."""
    from records.console import plain_console
    from records.files import read_file
    from tfcap.captioning import Captioner
    from tfcap.export.checking import Pair, comparison, live_captions

    photos = [read_file(path) for path in args.check]
    exported = Captioner.load(args.output).caption(photos)
    live = live_captions(captioner, photos)
    pairs = [Pair(*row) for row in zip(args.check, live, exported)]
    console = plain_console()
    console.print(comparison(pairs))
    both = [p for p in pairs if not p.live.error and not p.exported.error]
    moved = sum(abs(p.live.score - p.exported.score) for p in both)
    same = sum(p.live.caption == p.exported.caption for p in pairs)
    console.print(
        f"{same} of {len(pairs)} captions are the same; scores differ by "
        f"{moved / max(1, len(both)):.2g} on average"
    )
    return int(args.weights == "float32" and not all(p.agrees() for p in pairs))
