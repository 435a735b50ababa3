"""One update: in parts, in mixed precision, with a loss that overflows."""

import numpy as np
import pytest
import tensorflow as tf
from training_steps import Steps, settings

from tfcap.models.text import Text
from tfcap.train_step import StepResult, part_of

SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("expansion", "replicas", "parts"),
    [
        ("causal", 1, 3),
        pytest.param("causal", 2, 2, marks=SLOW),
        pytest.param("prefix", 2, 3, marks=SLOW),
    ],
)
def test_a_batch_in_parts_gives_the_same_update(
    make_records, expansion, replicas, parts
):
    # 21 photos, 8 a step: the last step has 5, fewer than some of the parts.
    records = make_records()
    whole = Steps(settings(expansion=expansion), records)
    cut = Steps(settings(expansion=expansion, accumulate=parts), records, replicas)
    for one, other in zip(whole.take(3), cut.take(3), strict=True):
        assert one.tokens == other.tokens
        assert one.loss == pytest.approx(other.loss, rel=1e-5)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-4)
    pairs = zip(whole.model.get_weights(), cut.model.get_weights(), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_parts_are_cut_by_photo():
    batch = {
        "features": tf.reshape(tf.range(10.0), [5, 2]),
        "photo": tf.constant([0, 0, 2, 3, 4, 4]),
        "prefix": tf.reshape(tf.range(12), [6, 2]),
        "target": tf.range(6),
        "seed": tf.range(5) * 7,
    }
    parts = [part_of(batch, tf.constant(number), 2) for number in range(2)]
    np.testing.assert_array_equal(parts[0]["features"], batch["features"][:2])
    np.testing.assert_array_equal(parts[1]["features"], batch["features"][2:])
    assert [part["photo"].numpy().tolist() for part in parts] == [[0, 0], [0, 1, 2, 2]]
    assert [part["target"].numpy().tolist() for part in parts] == [[0, 1], [2, 3, 4, 5]]
    assert [part["seed"].numpy().tolist() for part in parts] == [[0, 7], [14, 21, 28]]
    assert parts[1]["prefix"].shape == [4, 2]


@pytest.mark.parametrize(
    "precision", ["mixed_bfloat16", pytest.param("mixed_float16", marks=SLOW)]
)
def test_layers_compute_in_half_precision_and_weights_stay_whole(
    make_records, precision
):
    records = make_records()
    whole, mixed = (
        Steps(settings(precision=precision), records)
        for precision in ("float32", precision)
    )
    context = mixed.model.encode(tf.zeros([1, 4]))
    assert context.parts.dtype == precision.removeprefix("mixed_")
    hidden = mixed.model.read(context, Text.of(tf.ones([1, 2], tf.int32)))
    assert hidden.dtype == context.parts.dtype
    assert mixed.model.predict_token(hidden).dtype == tf.float32
    assert {v.dtype for v in mixed.model.trainable_variables} == {"float32"}
    for one, other in zip(whole.take(3), mixed.take(3), strict=True):
        assert one.tokens == other.tokens
        assert one.loss == pytest.approx(other.loss, rel=0.02)
        assert one.gradient_norm == pytest.approx(other.gradient_norm, rel=0.05)
        assert other.is_good()


@pytest.mark.parametrize("replicas", [1, pytest.param(2, marks=SLOW)])
def test_a_scaled_loss_that_overflows_changes_the_scale_alone(make_records, replicas):
    steps = Steps(settings(precision="mixed_float16"), make_records(), replicas)
    steps.optimizer.dynamic_scale.assign(2.0**100)
    before = steps.model.get_weights()
    (result,) = steps.take(1)
    assert result.is_good() and np.isfinite(result.loss)
    assert not np.isfinite(result.gradient_norm)
    for one, other in zip(before, steps.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert steps.optimizer.dynamic_scale.value.numpy() == 2.0**99
    steps.optimizer.dynamic_scale.assign(2.0**10)
    (result,) = steps.take(1)
    assert np.isfinite(result.gradient_norm) and result.loss_scale == 2.0**10
    assert not np.array_equal(before[0], steps.model.get_weights()[0])


@pytest.mark.parametrize(
    ("loss", "norm", "scale", "good"),
    [
        (1.0, 1.0, 1.0, True),
        (float("nan"), 1.0, 1.0, False),
        (1.0, float("inf"), 1.0, False),
        (1.0, float("inf"), 2.0, True),
        (float("inf"), float("inf"), 2.0, False),
    ],
)
def test_what_counts_as_a_good_step(loss, norm, scale, good):
    assert StepResult(loss, 3.0, norm, scale, 0.0).is_good() == good
