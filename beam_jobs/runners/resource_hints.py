"""Resource hints of the step that runs the encoder: a GPU, memory.

    --encoder_resource_hints accelerator=type:nvidia-l4;count:1;install-nvidia-driver
    --encoder_resource_hints min_ram=16GB

Beam's own `--resource_hints` are for every step, this is for the one that needs them:
a runner that can, gives the others smaller workers. Local runners take no notice.
"""

import argparse

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.resources import parse_resource_hints

from records.errors import UserError


class EncoderHints(PipelineOptions):
    """The option, as one of Beam's: a file of `--beam_options` may hold it too."""

    @classmethod
    def _add_argparse_args(cls, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--encoder_resource_hints",
            "--encoder_resource_hint",
            action="append",
            metavar="NAME=VALUE",
            help="for the step that runs the encoder: accelerator, min_ram, cpu_count",
        )


def encoder_hints(options: PipelineOptions) -> dict[str, str]:
    """Returns name -> value, as `PTransform.with_resource_hints` takes them.

    Raises:
        UserError: no such hint, or a value that it does not take.
    """
    hints = {}
    for option in options.view_as(EncoderHints).encoder_resource_hints or []:
        name, equals, value = option.partition("=")
        if not equals or not value:
            raise UserError(
                f"--encoder_resource_hints takes NAME=VALUE; received {option!r}"
            )
        check_hint(name, value)
        hints[name] = value
    return hints


def check_hint(name: str, value: str) -> None:
    try:
        parse_resource_hints({name: value})
    except ValueError as error:
        raise UserError(f"--encoder_resource_hints: {error}") from None
