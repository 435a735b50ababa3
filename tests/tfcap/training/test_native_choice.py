"""Native operations: decided at the start of a run, and kept when it is resumed."""

import pytest
import tensorflow as tf
from training_steps import settings, strategy_of

from records.errors import UserError
from tfcap.config.experiment import Config
from tfcap.config.loading import load_config
from tfcap.runs.workdir import Workdir
from tfcap.training import native_choice
from tfcap.training.distributed.cluster import ALONE
from tfcap.training.distributed.collectives import Workers
from tfcap.training.native_choice import CHOICES, fix_native_ops
from tfcap.training.train_step import kernels_of
from tfcap.training.trainer import Trainer


def of(choice) -> Config:
    return settings(native_ops=choice)


@pytest.fixture
def choose(monkeypatch):
    """Returns the function from a command's and a run's choice to the decision."""

    def choose(asked, first=None, can_compile=True, device="CPU", chief=None, **more):
        monkeypatch.setattr(native_choice, "compiled", lambda: can_compile or None)
        workers = Workers(tf.distribute.get_strategy(), ALONE)
        if chief is not None:
            numbers = [CHOICES.index(chief), 0]
            monkeypatch.setattr(Workers, "gather", lambda *_: numbers)
        config = settings(native_ops=asked, **more)
        began = None if first is None else of(first)
        return fix_native_ops(config, began, device, workers).training.native_ops

    return choose


@pytest.mark.parametrize("can_compile", [True, False])
def test_auto_is_decided_by_whether_they_compile(choose, can_compile):
    assert choose("auto", can_compile=can_compile) is can_compile
    assert choose("auto", first="auto", can_compile=can_compile) == "auto"


@pytest.mark.parametrize("first", [True, False])
def test_a_resumed_run_keeps_to_what_it_began_with(choose, first):
    assert choose("auto", first=first) is first


@pytest.mark.parametrize("chief", [True, False])
def test_workers_take_the_decision_of_the_chief(choose, chief):
    assert choose("auto", chief=chief) is chief
    assert choose(False, chief=chief) is False  # and are refused for the difference


def test_what_the_command_says_comes_first(choose):
    assert choose(False) is False
    assert choose(True, first=False) is True  # the work directory refuses it


@pytest.mark.parametrize(
    ("asked", "first", "why"),
    [(True, None, "is true, but"), ("auto", True, "was true when this run began")],
)
def test_a_run_that_needs_them_is_refused_without(choose, asked, first, why):
    with pytest.raises(UserError, match=f"training.native_ops {why}.*TFCAP_COMPILE=0"):
        choose(asked, first, can_compile=False)


def test_nothing_is_decided_where_there_are_none(choose):
    assert choose("auto", device="GPU", can_compile=False) == "auto"
    assert choose("auto", jit_compile=True) == "auto"
    assert choose("auto", first=True, device="GPU", can_compile=False) is True


@pytest.mark.parametrize(
    ("choice", "device"), [("auto", "CPU"), (True, "CPU"), (False, None)]
)
def test_a_step_uses_what_was_decided(choice, device):
    assert kernels_of(strategy_of(1), of(choice).training) == device
    assert kernels_of(strategy_of(1), settings(jit_compile=True).training) == "XLA"


def test_a_run_records_it_and_refuses_another(make_records, tmp_path, monkeypatch):
    records, path = make_records(), str(tmp_path / "run")
    monkeypatch.setattr(native_choice, "compiled", lambda: None)
    config = settings(epochs=1, strategy="cpu")
    Trainer(config, records, path)
    assert Workdir.open(path).config.training.native_ops is False
    monkeypatch.undo()
    resumed = Trainer(config, records, path)
    assert resumed.settings.native_ops is False
    assert kernels_of(resumed.strategy, resumed.settings) is None
    with pytest.raises(UserError, match=r"started with training\.native_ops: false"):
        Trainer(settings(epochs=1, strategy="cpu", native_ops=True), records, path)


def test_the_key_is_yaml(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("training: {native_ops: false}")
    assert load_config(str(path), []).training.native_ops is False
    changed = ["training.native_ops=true"]
    assert load_config(str(path), changed).training.native_ops is True
    with pytest.raises(UserError, match=r"training\.native_ops"):
        load_config(str(path), ["training.native_ops=sometimes"])
