"""The bytes that several devices exchange are those of the graph."""

import pytest

from records.format.schema import FeatureSpec
from tests.benchmarks.common import experiment
from tests.benchmarks.record_set import make_record_set
from tests.benchmarks.scaling import gradient_bytes, make_state, reduced_bytes, speed
from tfcap.config.experiment import Config


def small(config: Config) -> Config:
    units = {"image_units": 4, "lstm_units": 4, "embedding_units": 3}
    model = config.model.model_copy(update=units)
    training = config.training.model_copy(update={"native_ops": False})
    return config.model_copy(update={"model": model, "training": training})


@pytest.mark.slow
def test_a_step_sums_the_gradient_once(tmp_path):
    tiny = FeatureSpec(shape=(3,), dtype="float32")
    records = make_record_set(str(tmp_path), 8, 30, tiny)
    config = small(experiment("causal", 8))
    gradient = gradient_bytes(make_state(config, records))
    # Besides it the loss, and the numbers of its terms and of target tokens.
    assert reduced_bytes(config, records) == gradient + 4 + 2 * 8


def test_the_sum_takes_time_on_several_devices():
    assert speed(4_000_000, 1, 0.016, 1e9) == 1
    assert speed(0, 8, 0.016, 1e9) == 8
    # 7 MB pass through each link of 7 MB/s, and take as long as the step.
    assert speed(4_000_000, 8, 1.0, 7e6) == 4
