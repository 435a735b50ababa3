"""The `tfcap` command: usage, exit codes, errors in one sentence."""

import subprocess
import sys

import pytest

from tfcap.cli import main

COMMANDS = (
    *("inspect", "verify", "download", "train", "average", "evaluate", "export"),
    *("caption", "serve", "demo", "recipes", "info", "launch"),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main([command, "--help"])
    assert ended.value.code == 0
    assert f"example: tfcap {command} " in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["trian"],
        ["download", "flickr8k"],
        ["train"],
        ["train", "--confg", "x"],
        ["train", "--config", "c", "--records", "r", "--workdir", "w", "--bogus", "1"],
        ["evaluate", "--workdir", "w", "--records", "r", "--split", "all"],
        ["caption", "--model", "m"],
        ["serve", "--model", "m", "--port", "http"],
    ],
)
def test_wrong_usage_is_2(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(argv)
    assert ended.value.code == 2
    assert "usage: tfcap" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["train", "--config", "none.yaml", "--records", "r", "--workdir", "w"],
            "error: r is not a record set",
        ),
        (
            ["evaluate", "--workdir", "none", "--records", "r"],
            "error: none is not a work directory",
        ),
        (["export", "--workdir", "none", "--output", "o"], "Train first: tfcap train"),
        (["caption", "--model", "none", "a.jpg"], "error: no SavedModel in none"),
        (["serve", "--model", "none"], "error: "),
    ],
)
def test_a_users_mistake_is_one_sentence_and_1(argv, message, capsys):
    assert main.main(argv) == 1
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in err and not out


def test_records_that_are_none(tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text("")
    argv = ["train", "--config", str(config), "--records", str(tmp_path)]
    assert main.main([*argv, "--workdir", str(tmp_path / "w")]) == 1
    assert "is not a record set: it has no dataset.json" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "where"),
    [
        (
            ["caption", "--model", "m", "a.jpg"],
            "tfcap.inference.captioner.Captioner",
        ),
        (
            ["evaluate", "--workdir", "w", "--records", "r"],
            "tfcap.runs.ensemble.open_members",
        ),
        (
            ["export", "--workdir", "w", "--output", "o"],
            "tfcap.runs.ensemble.open_members",
        ),
        (
            ["train", "--config", "c", "--records", "r", "--workdir", "w"],
            "tfcap.training.trainer.Trainer",
        ),
    ],
    ids=["caption", "evaluate", "export", "train"],
)
def test_out_of_memory_is_one_sentence(argv, where, capsys, monkeypatch, tmp_path):
    import tensorflow as tf

    from tfcap.config.experiment import Config

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(where, full)
    monkeypatch.setattr("tfcap.cli.train.training_config", lambda *_: Config())
    monkeypatch.setattr("records.format.record_set.RecordSet.open", lambda *_: None)
    assert main.main(argv) == 1
    err = capsys.readouterr().err
    assert "error: out of memory; " in err and "end what else uses it" in err


@pytest.mark.parametrize("argv", [[], *([command] for command in COMMANDS)])
def test_help_is_instant_because_it_imports_no_tensorflow(argv):
    code = (
        "import sys\nfrom tfcap.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: status = end.code\n"
        "sys.exit(status or 'tensorflow' in sys.modules)"
    )
    command = [sys.executable, "-c", code, *argv, "--help"]
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0


@pytest.mark.parametrize(
    "package",
    ["decoding", "encoders", "evaluation", "evaluation.gallery", "export", "inference",
     "metrics", "serving", "web"],
)  # fmt: skip
def test_a_package_loads_its_modules_when_they_are_used(package):
    code = f"import sys, tfcap.{package}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
