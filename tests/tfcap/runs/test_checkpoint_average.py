"""The mean of a run's checkpoints."""

import errno
import json

import numpy as np
import pytest
import tensorflow as tf

from records.errors import UserError
from tfcap.cli import main
from tfcap.models import build_model
from tfcap.runs.checkpoint_average import average
from tfcap.runs.workdir import Progress, Workdir

MODULES = {
    "Workdir.write": "workdir",
    "Average.save": "average_file",
    "Checkpoints.save": "checkpoints",
}


@pytest.fixture
def run(make_records, write_run):
    """One that saved weights of 1, 2, 4 and 9 after epochs 1, 2, 3 and 3 again."""
    records = make_records()
    run = write_run(records, keep_checkpoints=5, global_batch=7)
    last, _ = run.last_and_best()
    last.remove_all_but([])
    model = build_model(run.config, run.manifest, run.vocabulary)
    progress = Progress()
    state = tf.train.Checkpoint(model=model, progress=progress)
    for epoch, value in ((1, 1.0), (2, 2.0), (3, 4.0), (3, 9.0)):
        progress.epoch.assign(epoch)
        for variable in model.trainable_variables:
            variable.assign(tf.fill(variable.shape, value))
        last.save(state)
    return run


def test_the_newest_are_averaged(run, tmp_path):
    mean = average(run, 2, "last", str(tmp_path / "mean"))
    assert mean.steps == (6, 9)  # of the same step only the newer one
    result = Workdir.open(str(tmp_path / "mean"))
    model, epoch = result.restore_best()
    assert epoch == 3
    for variable in model.trainable_variables:
        np.testing.assert_array_equal(variable, np.full(variable.shape, 5.5))
    assert result.about_best(epoch) == "mean of the last checkpoints, after steps 6, 9"


def test_what_is_not_trained_stays_as_it_is(run, tmp_path):
    average(run, 3, "last", str(tmp_path / "mean"))
    model, _ = Workdir.open(str(tmp_path / "mean")).restore_best()
    before, _ = run.restore_best()
    for value, other in zip(
        model.non_trainable_variables, before.non_trainable_variables
    ):
        np.testing.assert_array_equal(value, other)


def test_it_is_scored_and_says_so(run, make_records, tmp_path, capsys):
    output = str(tmp_path / "mean")
    argv = ["average", f"--workdir={run.path}", "--checkpoints=3"]
    assert main.main([*argv, f"--output={output}"]) == 0
    assert "after steps 3, 6, 9" in capsys.readouterr().out
    argv = [
        "--records",
        str(tmp_path / "records"),
        "--split=dev",
        "--no_java",
        "--json",
    ]
    assert main.main(["evaluate", "--workdir", output, *argv]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["checkpoints"] == [
        "mean of the last checkpoints, after steps 3, 6, 9"
    ]


def test_a_full_disk_leaves_nothing_and_the_command_can_be_given_again(
    run, tmp_path, monkeypatch
):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    for target in ("Workdir.write", "Average.save", "Checkpoints.save"):
        with monkeypatch.context() as patch:
            patch.setattr(f"tfcap.runs.{MODULES[target]}.{target}", fail)
            with pytest.raises(UserError, match=r"cannot write .*/mean: No space left"):
                average(run, 2, "last", str(tmp_path / "mean"))
        assert not [path for path in tmp_path.iterdir() if "mean" in path.name]
    (tmp_path / "mean").mkdir()
    average(run, 2, "last", f"{tmp_path}/mean/")
    Workdir.open(str(tmp_path / "mean")).restore_best()


def test_mistakes(run, tmp_path, capsys):
    output = str(tmp_path / "mean")
    with pytest.raises(UserError, match=r"last holds 3 checkpoint.*not 4\. Train with"):
        average(run, 4, "last", output)
    with pytest.raises(UserError, match="best holds 1 checkpoint"):
        average(run, 2, "best", output)
    with pytest.raises(UserError, match="is not empty"):
        average(run, 2, "last", run.path)
    argv = ["average", f"--workdir={run.path}", "--checkpoints=1"]
    assert main.main([*argv, f"--output={output}"]) == 1
    assert "--checkpoints: at least 2; received 1" in capsys.readouterr().err


def test_it_cannot_be_trained_on(run, make_records, tmp_path):
    output = str(tmp_path / "mean")
    average(run, 2, "last", output)
    with pytest.raises(UserError, match="start from it: --init"):
        Workdir.create_or_resume(output, run.config, make_records(name="again"))
