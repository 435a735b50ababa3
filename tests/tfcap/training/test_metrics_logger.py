"""What a run shows after an epoch."""

from types import SimpleNamespace

import pytest

from tfcap.config.training import TrainingConfig
from tfcap.training.metrics_logger import MetricsLogger


@pytest.mark.parametrize(
    ("captions", "end"),
    [
        (["a dog", "a dog"], "dev 2.000 (best), sample captions all the same\n"),
        (["a dog", "a cat"], "dev 2.000 (best)\n"),
    ],
)
def test_the_line_of_an_epoch(tmp_path, capsys, captions, end):
    samples = SimpleNamespace(captions=lambda: captions, draw=lambda *_: None)
    workdir = SimpleNamespace(folder=lambda name: str(tmp_path / name))
    with MetricsLogger(workdir, 1, TrainingConfig()) as metrics:
        metrics.start_epoch(0, 0)
        metrics.show_samples(1, samples)
        metrics.end_epoch(1, 2.0, True)
    assert capsys.readouterr().err == f"epoch 1/20: {end}"
