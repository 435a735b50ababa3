"""The option `--set KEY=VALUE`, shared by several commands."""

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
    """Returns the run's decoding settings with this command's overrides."""
    from records.errors import UserError
    from tfcap.config.loading import override
    from tfcap.decoding import check_words
    from tfcap.runs.workdir import CONFIG

    for override_text in args.set:
        if not override_text.startswith("decoding."):
            raise UserError(
                f"--set {override_text}: after training only decoding.* can be set"
            )
    decoding = override(workdir.config, args.set, workdir.folder(CONFIG)).decoding
    decoding = decoding.resolve_max_length(workdir.manifest.longest_training_caption)
    check_words(decoding, workdir.vocabulary, workdir.manifest.tokenizer)
    return decoding
