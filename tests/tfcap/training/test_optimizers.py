"""Learning rate by step."""

import pytest

from tfcap.config.training import ScheduleConfig
from tfcap.training.optimizers import make_schedule


def rates(at, **config):
    schedule = make_schedule(ScheduleConfig(**config), steps_per_epoch=10, epochs=4)
    return [float(schedule(step)) for step in at]


def test_constant():
    assert rates([0, 1, 2, 39], kind="constant", rate=0.5) == [0.5] * 4


def test_step_changes_at_the_first_step_of_its_epoch():
    computed = rates(
        [0, 9, 10, 29, 30], kind="step", rate=1.0, steps=[(1, 0.5), (3, 0.25)]
    )
    assert computed == [1, 1, 0.5, 0.5, 0.25]


def test_cosine_ends_at_its_fraction():
    computed = rates([0, 20, 40], kind="cosine", rate=1.0, final_fraction=0.1)
    assert computed == pytest.approx([1.0, 0.55, 0.1])


@pytest.mark.parametrize("kind", ["constant", "cosine"])
def test_warm_up_rises_linearly_and_comes_first(kind):
    computed = rates([0, 1, 3, 4], kind=kind, rate=1.0, warmup_steps=4)
    assert computed == pytest.approx([0.25, 0.5, 1.0, 1.0])


def test_cosine_after_warm_up_still_ends_at_the_last_step():
    computed = rates([40], kind="cosine", rate=1.0, warmup_steps=4, final_fraction=0.0)
    assert computed == pytest.approx([0.0], abs=1e-6)


@pytest.mark.parametrize(("steps", "warned"), [(40, False), (41, True)])
def test_a_warm_up_that_never_ends_is_said(steps, warned, caplog):
    (last,) = rates([39], kind="constant", rate=0.5, warmup_steps=steps)
    assert (last < 0.5) == warned
    expected = (
        "warning: training.schedule."
        f"warmup_steps is {steps}, but training has 40 steps (4 epochs of 10): the "
        "learning rate never reaches 0.5"
    )
    assert caplog.messages == [expected] * warned


@pytest.mark.parametrize(("epoch", "warned"), [(3, False), (4, True)])
def test_a_rate_that_is_never_used_is_said(epoch, warned, caplog):
    rates([0], kind="step", rate=1.0, steps=[(1, 0.5), (epoch, 0.25)])
    expected = (
        "warning: training.schedule.steps: (4, 0.25) come after the last epoch: "
        "training has 4"
    )
    assert caplog.messages == [expected] * warned
