"""The option --set, and command lines that users can copy."""

import shlex

import pytest

from tfcap.cli import main
from tfcap.cli.options import command_line

AVERAGE = ["average", "--workdir=w", "--checkpoints=2", "--output=o"]
TRAIN = ["train", "--config", "c", "--records", "r", "--workdir", "w"]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            [*TRAIN, "--epochs", "3"],
            "--epochs 3. Did you mean --set training.epochs=3?",
        ),
        ([*TRAIN, "--global-batch=8"], "Did you mean --set training.global_batch=8?"),
        (
            [*TRAIN, "--keep_photos", "--flip"],
            "mean --set records.keep_photos=VALUE or",
        ),
        ([*TRAIN, "--bogus", "1"], "unrecognized arguments: --bogus 1\n"),
        (
            ["evaluate", "--workdir", "w", "--records", "r", "--seed", "1"],
            "Did you mean --set decoding.sampling.seed=1?",
        ),
        (
            ["caption", "--model", "m", "--seed", "1", "a.jpg"],
            "--seed. Did you mean tfcap build ... --set encoder.seed=VALUE or ",
        ),
        (["caption", "--model", "m", "--bogus", "a.jpg"], "arguments: --bogus\n"),
        (
            ["demo", "--epochs", "3"],
            "--epochs 3. Did you mean tfcap train ... --set training.epochs=3?",
        ),
        (
            ["export", "--workdir", "w", "--output", "o", "--name=merge"],
            "Did you mean tfcap build ... --set encoder.name=merge or tfcap train ... "
            "--set model.name=merge?",
        ),
        (
            [*AVERAGE, "--beam-width", "3"],
            "Did you mean tfcap export ... --set decoding.beam_width=3?",
        ),
        (["serve", "--model=m", "--max_pixels=9"], "Did you mean --set max_pixels=9?"),
        (
            ["serve", "--model=m", "--beam_width=9"],
            "mean tfcap export ... --set decoding.beam_width=9?",
        ),
    ],
)
def test_a_key_written_as_an_option_is_explained(argv, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(argv)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_printed_command_is_read_by_a_shell():
    line = command_line("caption", "it's.jpg", model="my export")
    assert shlex.split(line) == ["tfcap", "caption", "--model", "my export", "it's.jpg"]
