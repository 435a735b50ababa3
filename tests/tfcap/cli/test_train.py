"""The command `tfcap train`: what it prints, and which keys need not be repeated."""

import re
import shlex
import signal
from types import SimpleNamespace

import pytest
import yaml

from records.errors import UserError
from tfcap.cli import main
from tfcap.cli import train as command
from tfcap.config.loading import parse_config
from tfcap.runs.workdir import Workdir

TRAINING = {"epochs": 1, "global_batch": 8, "strategy": "cpu", "expansion": "causal"}
TRAINING["score_photos"] = 0
UNITS = {"image_units": 8, "lstm_units": 8, "embedding_units": 4}
BUILD = {
    "encoder": {"name": "mobilenet", "input_size": 96, "pooling": "flatten"},
    "tokenizer": {"min_count": 2, "oov": "drop"},
}


@pytest.fixture
def arguments(tmp_path, make_records):
    """Returns the function from configuration and splits to the parsed arguments."""

    def make(content: dict, *options: str, sizes=None):
        config = tmp_path / "config.yaml"
        config.write_text(yaml.safe_dump(content))
        built = parse_config(BUILD, "test")
        records = make_records(sizes, config=built, name="my records")
        argv = ["train", f"--config={config}", f"--records={records.directory}"]
        argv += [f"--workdir={tmp_path / 'my run'}", *options]
        return main.make_parser().parse_args(argv), records

    return make


def test_settings_of_the_build_are_taken_from_the_records(arguments):
    args, records = arguments(
        {"training": {"epochs": 3}}, "--set=tokenizer.min_count=2"
    )
    config = command.training_config(args, records)
    assert config.encoder.name == "mobilenet" and config.encoder.input_size == 96
    assert config.tokenizer.oov == "drop" and config.training.epochs == 3


@pytest.mark.parametrize(
    ("content", "options", "key"),
    [
        ({"tokenizer": {"min_count": 5}}, [], "tokenizer.min_count: 2, but the con"),
        ({"tokenizer": {"kind": "char"}}, [], "tokenizer.kind: 'word', but the con"),
        ({}, ["--set=encoder.input_size=128"], "encoder.input_size: 96, but the con"),
        (
            {"encoder": {"model": "x.keras", "preprocessing": "tf"}},
            [],
            "encoder.name: 'mobilenet', but the configuration says null",
        ),
    ],
)
def test_what_contradicts_the_records_is_refused(arguments, content, options, key):
    args, _ = arguments(content, *options)
    with pytest.raises(UserError, match=f"were made with {re.escape(key)}"):
        command.train_run(args)


def test_a_run_ends_with_commands_that_can_be_copied(arguments, capsys, tmp_path):
    args, records = arguments({"model": UNITS, "training": TRAINING})
    assert command.train(args) == 0
    counts, curves, scores = capsys.readouterr().out.splitlines()
    assert counts.startswith("1 epoch, 3 steps; lowest dev loss ")
    workdir = str(tmp_path / "my run")
    assert shlex.split(curves)[-1] == f"{workdir}/tensorboard"
    expected = ["--workdir", workdir, "--records", records.directory, "--split", "dev"]
    assert shlex.split(scores) == ["scores:", "tfcap", "evaluate", *expected]
    assert Workdir.open(workdir).config.tokenizer.min_count == 2


def test_the_test_split_is_scored_if_the_records_have_one(arguments):
    args, _ = arguments({}, sizes={"train": 3, "dev": 3, "test": 3})
    assert command.evaluate_command(args).endswith(" --split test")


def test_sigterm_outside_training_is_explained(arguments, monkeypatch, capfd):
    before = signal.getsignal(signal.SIGTERM)
    args, _ = arguments({})

    def finish(_):
        signal.raise_signal(signal.SIGTERM)
        return SimpleNamespace(stopped=None), True

    monkeypatch.setattr(command, "train_run", finish)
    try:
        with pytest.raises(SystemExit) as ended:
            command.train(args)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 75
    expected = "stopped by SIGTERM; nothing is lost. Run the same command again"
    assert expected in capfd.readouterr().err
