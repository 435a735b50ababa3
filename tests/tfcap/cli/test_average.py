"""The command `tfcap average`: usage, and what it prints."""

import pytest

from tfcap.cli import main
from tfcap.runs import checkpoint_average
from tfcap.runs.average_file import Average
from tfcap.runs.workdir import Workdir

REQUIRED = ("--workdir=w", "--checkpoints=2", "--output=o")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (REQUIRED[1:], "required: --workdir"),
        (REQUIRED[::2], "required: --checkpoints"),
        (REQUIRED[:2], "required: --output"),
        ([*REQUIRED, "--of=all"], "argument --of: invalid choice: 'all'"),
        ([*REQUIRED, "--checkpoints=two"], "invalid int value: 'two'"),
    ],
)
def test_wrong_usage_is_2(argv, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(["average", *argv])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 0, -1])
def test_fewer_than_two_checkpoints_are_refused(count, capsys):
    assert main.main(["average", *REQUIRED, f"--checkpoints={count}"]) == 1
    message = f"error: --checkpoints: at least 2; received {count}\n"
    assert capsys.readouterr() == ("", message)


def test_steps_and_the_next_command_are_printed(monkeypatch, capsys):
    calls = []

    def average(*arguments):
        calls.append(arguments)
        return Average(run="w", kind="best", steps=(3, 6))

    monkeypatch.setattr(checkpoint_average, "average", average)
    monkeypatch.setattr(Workdir, "open", lambda path: path)
    argv = ["--workdir=w", "--checkpoints=2", "--of=best", "--output=my mean"]
    assert main.main(["average", *argv]) == 0
    assert calls == [("w", 2, "best", "my mean")]
    assert capsys.readouterr().out == (
        "my mean: mean of 2 checkpoints, after steps 3, 6\n"
        "scores: tfcap evaluate --workdir 'my mean' --records DIR\n"
    )
