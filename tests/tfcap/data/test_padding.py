"""Batches of few sizes: the same update, one trace, a compilation a size."""

import numpy as np
import pytest
import tensorflow as tf
from training_steps import Steps, settings

from records.errors import UserError
from records.format.schema import FeatureSpec
from tfcap.config.loading import parse_config
from tfcap.config.training import TrainingConfig
from tfcap.data import padding
from tfcap.data.padding import RowCounts, Shape, pad_batch
from tfcap.data.pipeline import scoring_batches, training_batches
from tfcap.training.trainer import Trainer

# Photos of `make_records` have captions of 7 and 4 tokens, and 7 is the longest.
ROWS = {"causal": 2, "prefix": 6 + 3}
GRID = FeatureSpec(shape=(2, 2, 4), dtype="float32")
MODELS = {
    "merge": {"image_units": 8, "lstm_units": 8, "embedding_units": 5},
    "attention": {
        "name": "attention",
        **{"lstm_units": 8, "embedding_units": 6, "attention_units": 8},
        **{"output_units": 8, "heads": 2},
    },
    "transformer": {
        "name": "transformer",
        **{"embedding_units": 8, "feed_forward_units": 8, "layers": 1, "heads": 2},
    },
}


@pytest.mark.parametrize("expansion", ["causal", "prefix"])
def test_each_photo_has_the_rows_of_the_photo_with_the_most(make_records, expansion):
    counts = RowCounts(make_records(), "train")
    assert counts.shape(expansion, 4) == Shape(4, ROWS[expansion], 6)


@pytest.mark.parametrize(
    ("longest", "needed", "length"), [(36, 1, 8), (36, 8, 8), (36, 9, 16), (36, 33, 36)]
)
def test_lengths_are_rounded_up_to_the_longest_at_most(longest, needed, length):
    shape = Shape(1, 1, longest)
    assert int(shape.length(tf.constant(needed))) == length
    lengths = {int(shape.length(tf.constant(n))) for n in range(1, longest + 1)}
    assert len(lengths) == shape.sizes == 5


def test_rows_of_padding_are_in_place_of_missing_ones():
    batch = {
        "features": tf.ones([2, 3]),
        "photo": tf.constant([0, 1, 1]),
        "prefix": tf.constant([[1, 5], [1, 6], [1, 0]]),
        "target": tf.constant([[5, 2], [6, 2], [2, 0]]),
    }
    padded = pad_batch(batch, Shape(3, 2, 4))
    assert padded["features"].numpy().tolist() == [[1] * 3, [1] * 3, [0] * 3]
    assert padded["photo"].numpy().tolist() == [0, 0, 1, 1, 2, 2]
    assert padded["prefix"].numpy().tolist() == [
        [1, 5, 0, 0],
        [1, 0, 0, 0],
        [1, 6, 0, 0],
        [1, 0, 0, 0],
        [1, 0, 0, 0],
        [1, 0, 0, 0],
    ]
    assert padded["target"].numpy()[[0, 2, 3], :2].tolist() == [[5, 2], [6, 2], [2, 0]]
    assert np.count_nonzero(padded["target"]) == 5


@pytest.mark.parametrize("expansion", ["causal", "prefix"])
def test_padding_adds_rows_without_a_target(make_records, expansion):
    records = make_records()
    config = TrainingConfig(expansion=expansion, global_batch=8)
    counts = RowCounts(records, "train")
    plain = list(training_batches(records, config, 0))
    padded = list(training_batches(records, config, 0, counts=counts))
    assert [len(batch["features"]) for batch in plain] == [8, 8, 5]
    for few, full in zip(plain, padded, strict=True):
        assert len(full["features"]) == 8
        assert len(full["photo"]) == 8 * ROWS[expansion]
        assert np.bincount(full["photo"]).tolist() == [ROWS[expansion]] * 8
        real = full["target"].numpy().reshape(len(full["photo"]), -1).any(1)
        assert np.all(full["prefix"].numpy()[~real] == [1, 0, 0, 0, 0, 0])
        for name in ("photo", "prefix", "target"):
            np.testing.assert_array_equal(full[name].numpy()[real], few[name])


def test_only_the_length_is_not_known_before_the_first_batch(make_records):
    records = make_records()
    config, counts = TrainingConfig(global_batch=8), RowCounts(records, "dev")
    for dataset in (
        training_batches(records, config, 0, counts=counts),
        scoring_batches(records, "dev", config, counts=counts),
    ):
        shapes = {name: spec.shape for name, spec in dataset.element_spec.items()}
        assert shapes["prefix"].as_list()[1:] == [None]
        for name in ("features", "photo"):
            assert shapes[name].is_fully_defined()


def test_a_run_has_no_more_sizes_than_its_shape(make_records, monkeypatch):
    monkeypatch.setattr(padding, "LENGTHS", 2)  # a caption has 6 or 3 prefixes
    records = make_records()
    config, counts = TrainingConfig(global_batch=1), RowCounts(records, "train")
    batches = training_batches(records, config, 0, counts=counts, epochs=2)
    sizes = {tuple(tuple(v.shape) for v in batch.values()) for batch in batches}
    assert 1 <= len(sizes) <= counts.shape("prefix", 1).sizes == 3


@pytest.mark.slow
@pytest.mark.parametrize("expansion", ["causal", "prefix"])
@pytest.mark.parametrize("name", ["attention", "transformer"])
def test_attending_models_compile_to_the_same_update(make_records, name, expansion):
    records, ends = make_records(spec=GRID), []
    for jit_compile in (False, True):
        training = settings(
            expansion=expansion, jit_compile=jit_compile, average_decay=0.9
        ).training.model_dump()
        config = parse_config({"model": MODELS[name], "training": training}, "test")
        steps = Steps(config, records)
        ends.append((steps.take(3), steps.model.get_weights()))
    (plain, expected), (compiled, weights) = ends
    for few, full in zip(plain, compiled, strict=True):
        assert few.loss == pytest.approx(full.loss, rel=1e-5)
        assert few.count == full.count
        assert few.gradient_norm == pytest.approx(full.gradient_norm, rel=1e-4)
    for value, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-3, atol=1e-5)


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


def test_a_run_comes_to_the_same_dev_loss(make_records, tmp_path):
    records, found = make_records(), []
    for jit_compile in (False, True):
        config = settings(epochs=1, strategy="cpu", jit_compile=jit_compile)
        trainer = Trainer(config, records, str(tmp_path / str(jit_compile)))
        found.append(trainer.run().best_loss)
    assert found[1] == pytest.approx(found[0], rel=1e-5)
