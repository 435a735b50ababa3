"""`--set KEY=VALUE`, as several commands have it."""

import argparse


def add_set(parser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the configuration; may be repeated",
    )


def decoding_config(workdir, args: argparse.Namespace):
    """The run's decoding settings with this command's overrides."""
    from records.errors import UserError
    from tfcap.config import load_config
    from tfcap.decoding import check_words
    from tfcap.workdir import CONFIG

    for override in args.set:
        if not override.startswith("decoding."):
            raise UserError(
                f"--set {override}: after training only decoding.* can be set"
            )
    decoding = load_config(workdir.folder(CONFIG), args.set).decoding
    decoding = decoding.up_to(workdir.manifest.longest_training_caption)
    check_words(decoding, workdir.vocabulary, workdir.manifest.tokenizer)
    return decoding
