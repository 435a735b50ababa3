"""The state of a run: what a checkpoint holds, and where the first step begins."""

import numpy as np
import pytest
import tensorflow as tf

from tfcap.config.loading import parse_config
from tfcap.runs.workdir import Progress
from tfcap.training.state import TrainingState

SMALL = {"image_units": 8, "lstm_units": 8, "embedding_units": 4}


@pytest.fixture
def make_state(make_records):
    """Returns the function that makes the state of a run of these settings."""
    records = make_records()

    def make(**training) -> TrainingState:
        config = parse_config({"model": SMALL, "training": training}, "test")
        return TrainingState(config, records, Progress())

    make.records = records
    return make


def test_a_worker_without_a_work_directory_starts_from_another_run(
    make_state, write_run
):
    run = write_run(make_state.records, seed=4)
    state = make_state(init=run.path, average_decay=0.9)
    state.start()
    expected, _ = run.restore_best()
    for weight, value in zip(state.model.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(weight, value)
    for average, weight in zip(state.average.averages, state.weights, strict=True):
        np.testing.assert_array_equal(average, weight)


def saved(state: TrainingState) -> list[tf.Variable]:
    of_optimizer = [variable.value for variable in state.optimizer.variables]
    rest = [*state.average.averages, *state.progress.variables]
    return [*state.weights, *of_optimizer, *rest]


def test_a_checkpoint_holds_weights_optimizer_average_and_progress(
    make_state, tmp_path
):
    old, new = (make_state(seed=seed, average_decay=0.9) for seed in (0, 1))
    for number, variable in enumerate(saved(old)):
        variable.assign(tf.cast(tf.fill(variable.shape, number), variable.dtype))
    new.checkpoint().read(old.checkpoint().write(str(tmp_path / "state")))
    for variable, value in zip(saved(new), saved(old), strict=True):
        np.testing.assert_array_equal(variable, value)


def test_the_average_is_in_place_only_inside(make_state):
    state = make_state(average_decay=0.9)
    before = [weight.numpy() for weight in state.weights]
    state.average.averages[0].assign(tf.ones_like(before[0]))
    with state.averaged():
        np.testing.assert_array_equal(state.weights[0], np.ones_like(before[0]))
    for weight, value in zip(state.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_without_an_average_the_weights_stay(make_state):
    state = make_state()
    before = state.weights[0].numpy()
    with state.averaged():
        np.testing.assert_array_equal(state.weights[0], before)
