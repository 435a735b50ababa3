"""Batches of one size: the same loss, one trace, one compilation."""

import numpy as np
import pytest
from training_steps import Steps, settings

from records.errors import UserError
from tfcap.config.loading import parse_config
from tfcap.config.training import TrainingConfig
from tfcap.data.padding import RowCounts, Shape
from tfcap.data.pipeline import scoring_batches, training_batches
from tfcap.training.trainer import Trainer

# Photos of `make_records` have captions of 7 and 4 tokens, and 7 is the longest.
ROWS = {"causal": 2, "prefix": 6 + 3}


@pytest.mark.parametrize("expansion", ["causal", "prefix"])
def test_the_shape_is_the_least_that_every_batch_fits_into(make_records, expansion):
    counts = RowCounts(make_records(), "train")
    assert counts.shape(expansion, 4) == Shape(4, 4 * ROWS[expansion], 6)


@pytest.mark.parametrize("expansion", ["causal", "prefix"])
def test_padding_adds_rows_without_a_target(make_records, expansion):
    records = make_records()
    config = TrainingConfig(expansion=expansion, global_batch=8)
    counts = RowCounts(records, "train")
    plain = list(training_batches(records, config, 0))
    padded = list(training_batches(records, config, 0, counts=counts))
    assert [len(batch["features"]) for batch in plain] == [8, 8, 5]
    for one, other in zip(plain, padded, strict=True):
        rows = len(one["photo"])
        for name, values in one.items():
            part = tuple(slice(size) for size in values.shape)
            np.testing.assert_array_equal(other[name][part], values)
        assert len(other["photo"]) == 8 * ROWS[expansion]
        assert not np.any(other["target"][rows:])
        assert np.all(other["prefix"][rows:] == [1, 0, 0, 0, 0, 0])


def test_every_shape_is_known_before_the_first_batch(make_records):
    records = make_records()
    config, counts = TrainingConfig(global_batch=8), RowCounts(records, "dev")
    for dataset in (
        training_batches(records, config, 0, counts=counts),
        scoring_batches(records, "dev", config, counts=counts),
    ):
        shapes = [spec.shape for spec in dataset.element_spec.values()]
        assert all(shape.is_fully_defined() for shape in shapes)


@pytest.mark.parametrize(
    ("expansion", "replicas"),
    [
        ("causal", 1),
        ("prefix", 1),
        pytest.param("causal", 2, marks=pytest.mark.slow),
    ],
)
def test_the_update_is_that_of_batches_of_any_size(make_records, expansion, replicas):
    records = make_records()
    plain = Steps(settings(expansion=expansion), records)
    config = settings(expansion=expansion, jit_compile=True)
    compiled = Steps(config, records, replicas)
    for one, other in zip(plain.take(3), compiled.take(3), strict=True):
        assert one.tokens == other.tokens
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-4)
    pairs = zip(plain.model.get_weights(), compiled.model.get_weights(), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_step_is_traced_once_and_an_epoch_later_no_more(
    make_records, monkeypatch, jit_compile
):
    # 21 photos, 8 a step: the last batch of an epoch has another size.
    traces = []
    steps = Steps(settings(jit_compile=jit_compile), make_records())
    inside = steps.model.encode
    monkeypatch.setattr(
        steps.model, "encode", lambda *args: traces.append(1) or inside(*args)
    )
    steps.take(3)
    steps.start_epoch(1)
    steps.take(3)
    assert steps.step.experimental_get_tracing_count() == 1
    assert len(traces) == 1


def test_parts_of_a_batch_are_refused():
    with pytest.raises(
        UserError, match="`jit_compile` needs `accumulate: 1`, received 2"
    ):
        settings(jit_compile=True, accumulate=2)


def test_a_model_that_attends_is_refused():
    content = {"model": {"name": "attention"}, "training": {"jit_compile": True}}
    with pytest.raises(UserError, match=r"jit_compile needs model\.name: merge\. "):
        parse_config(content, "test")


def test_a_run_comes_to_the_same_dev_loss(make_records, tmp_path):
    records, found = make_records(), []
    for jit_compile in (False, True):
        config = settings(epochs=1, strategy="cpu", jit_compile=jit_compile)
        trainer = Trainer(config, records, str(tmp_path / str(jit_compile)))
        found.append(trainer.run().best_loss)
    assert found[1] == pytest.approx(found[0], rel=1e-5)
