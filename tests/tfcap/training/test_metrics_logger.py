"""What a run shows after an epoch."""

import re
from types import SimpleNamespace

import pytest

from tfcap.config.training import TrainingConfig
from tfcap.training import metrics_logger
from tfcap.training.metrics_logger import MetricsLogger, figures
from tfcap.training.train_step import StepResult


@pytest.fixture
def workdir(tmp_path):
    return SimpleNamespace(folder=lambda name: str(tmp_path / name))


@pytest.mark.parametrize(
    ("captions", "end"),
    [
        (["a dog", "a dog"], "dev 2.000 (best), sample captions all the same\n"),
        (["a dog", "a cat"], "dev 2.000 (best)\n"),
    ],
)
def test_the_line_of_an_epoch(workdir, capsys, captions, end):
    samples = SimpleNamespace(captions=lambda: captions, draw=lambda *_: None)
    with MetricsLogger(workdir, 1, TrainingConfig()) as metrics:
        metrics.start_epoch(0, 0)
        metrics.show_samples(1, samples)
        metrics.end_epoch(1, 2.0, True)
    assert capsys.readouterr().err == f"epoch 1/20: {end}"


def test_a_reward_is_no_cross_entropy(workdir, capsys):
    """The line says what the loss is, for training and for dev."""
    config = TrainingConfig(expansion="causal", self_critical={"samples": 2})
    with MetricsLogger(workdir, 1, config) as metrics:
        metrics.start_epoch(0, 0)
        metrics.draw(1, 0.1, [StepResult(-1.5, 3, 9, 1.0, 1.0, 0.0)])
        (task,) = metrics.bar.tasks
        assert task.fields["status"] == "loss (minus CIDEr-D) -0.500"
        metrics.end_epoch(1, -0.25, True)
    line = capsys.readouterr().err
    assert line.endswith(
        "loss (minus CIDEr-D) -0.500, dev (minus CIDEr-D) -0.250 (best)\n"
    )


def test_the_bar_says_compiling_until_the_first_result(workdir):
    with MetricsLogger(workdir, 2, TrainingConfig()) as metrics:
        (task,) = metrics.bar.tasks
        assert figures(task) == "compiling, up to a minute"
        metrics.start_epoch(0, 0)
        assert figures(task) == "0/2, compiling, up to a minute"
        metrics.draw(1, 0.1, [StepResult(6.0, 3, 9, 1.0, 1.0, 0.0)])
        assert figures(task).startswith("0/2, loss 2.000, ")
        metrics.start_scoring()
        assert figures(task) == "0/2, scoring the dev split"
        metrics.start_epoch(1, 0)
        assert figures(task).startswith("0/2, loss 2.000, ")


def test_a_pipe_sees_a_line_a_minute(workdir, capsys, monkeypatch):
    with MetricsLogger(workdir, 2, TrainingConfig()) as metrics:
        metrics.start_epoch(0, 0)
        metrics.draw(1, 0.1, [StepResult(6.0, 3, 9, 1.0, 1.0, 0.0)])
        assert capsys.readouterr().err == ""
        metrics.printed -= metrics_logger.MESSAGE_SECONDS
        for step in (2, 3):
            metrics.draw(step, 0.1, [StepResult(6.0, 3, 9, 1.0, 1.0, 0.0)])
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"epoch 1/20, step 0/2, loss 2\.000, [\d,]+ rows/s", line)
