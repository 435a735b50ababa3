"""Resource hints of the step that encodes."""

import argparse

import pytest

from beam_jobs.runners.options import parse_beam_options, parse_command
from beam_jobs.runners.resource_hints import encoder_hints
from records.errors import UserError

L4 = "accelerator=type:nvidia-l4;count:1;install-nvidia-driver"


def test_hints_are_taken_apart_at_the_first_equals_sign():
    flags = [f"--encoder_resource_hints={L4}", "--encoder_resource_hint=min_ram=16GB"]
    hints = encoder_hints(parse_beam_options(flags))
    assert hints == {
        "accelerator": "type:nvidia-l4;count:1;install-nvidia-driver",
        "min_ram": "16GB",
    }


def test_without_the_option_there_is_none():
    assert encoder_hints(parse_beam_options([])) == {}


@pytest.mark.parametrize(
    ("hint", "message"),
    [
        ("min_ram", "takes NAME=VALUE; received 'min_ram'"),
        ("min_ram=", "takes NAME=VALUE"),
        ("ram=16GB", "Unknown resource hint: ram"),
        ("min_ram=much", "Resource hint min_ram has invalid value much"),
    ],
)
def test_a_wrong_hint_is_wrong_usage(hint, message, capsys):
    option = f"--encoder_resource_hints={hint}"
    with pytest.raises(UserError, match=message):
        encoder_hints(parse_beam_options([option]))
    with pytest.raises(SystemExit) as ended:
        parse_command(argparse.ArgumentParser(prog="job"), [option])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
