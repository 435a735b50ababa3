"""`tfcap launch`: what it refuses, and what it starts."""

import pytest

from tfcap.cli.launch import check_command, make_commands
from tfcap.cli.main import main, make_parser

TRAIN = ["train", "--config", "c.yaml", "--records", "r", "--workdir", "w"]


@pytest.mark.parametrize(
    ("options", "command", "message"),
    [
        (["--processes=1"], TRAIN, "--processes: at least 2; received 1. One worker"),
        (["--processes=2"], [], "no command to start; expected one as in tfcap launch"),
        (["--processes=2"], ["evaluate"], "received 'evaluate', which runs in one"),
        (
            ["--processes=2"],
            ["build", "--config=c"],
            "a build has its workers from Beam",
        ),
        (["--processes=2"], [*TRAIN, "--seeds=2"], "launch each seed by itself"),
        (
            ["--processes=2", "--restarts=-1"],
            TRAIN,
            "--restarts: 0 or more; received -1",
        ),
        (["--processes=2", "--grace=nan"], TRAIN, "--grace: 0 or more; received nan"),
        (["--processes=2", "--hang_timeout=5"], TRAIN, "--hang_timeout: at least 120"),
        (["--hosts=a,-x"], TRAIN, "'-x' is no host"),
        (["--hosts=a"], TRAIN, "at least 2 hosts are expected; received 1"),
        (["--hosts_file=none"], TRAIN, "--hosts_file: cannot read none"),
    ],
)
def test_wrong_use_is_refused_in_a_sentence(options, command, message, capsys):
    assert main(["launch", *options, "--", *command]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ["launch", "--", *TRAIN],
        ["launch", "--processes=2", "--hosts=a,b", "--", *TRAIN],
        ["launch", "--processes=2", "--", "train", "--config=c"],
        ["launch", "--processes=2", "--", *TRAIN, "--bogus"],
    ],
)
def test_wrong_usage_is_2(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert "usage: tfcap" in capsys.readouterr().err


@pytest.mark.parametrize("dashes", [["--"], []])
def test_each_process_is_given_the_command(dashes):
    argv = ["launch", "--processes=3", "--grace=7", *dashes, *TRAIN]
    args = make_parser().parse_args(argv)
    commands = make_commands(args, check_command(args.command))()
    assert len(commands) == 3
    python = args.python
    assert commands[0].argv[0] == python
    assert commands[0].argv[-len(TRAIN) - 4 :] == ["7.0", python, "-m", "tfcap", *TRAIN]
