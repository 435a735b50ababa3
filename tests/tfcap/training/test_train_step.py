"""One update: in parts, in mixed precision, with a loss that overflows."""

import numpy as np
import pytest
import tensorflow as tf
from training_steps import Steps, settings, strategy_of

from tfcap.data.pipeline import scoring_batches
from tfcap.models import build_model
from tfcap.models.layers.packed_lstm import read_words
from tfcap.ops.packed_tokens import PackedTokens
from tfcap.training.gradients import part_of
from tfcap.training.train_step import StepResult, make_score_step

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
    for expected, other in zip(whole.take(3), cut.take(3), strict=True):
        assert expected.tokens == other.tokens
        assert expected.loss == pytest.approx(other.loss, rel=1e-5)
        assert expected.gradient_norm == pytest.approx(other.gradient_norm, rel=1e-4)
    pairs = zip(whole.model.get_weights(), cut.model.get_weights(), strict=True)
    for expected, other in pairs:
        np.testing.assert_allclose(expected, other, rtol=1e-3, atol=1e-5)


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
    ("replicas", "accumulate"), [(1, 8), pytest.param(4, 1, marks=SLOW)]
)
def test_no_layer_gets_an_empty_batch(make_records, monkeypatch, replicas, accumulate):
    # 21 photos, 8 a step: of the last step one replica has no photo, or three parts.
    records, texts = make_records(), []

    def checked(lstm, words, text, state=None):
        texts.append(text)
        sizes = tf.concat([text.size, tf.shape(text.lengths), tf.shape(words)], 0)
        with tf.control_dependencies([tf.debugging.assert_positive(sizes)]):
            return read_words(lstm, tf.identity(words), text, state)

    monkeypatch.setattr("tfcap.models.merge.read_words", checked)
    Steps(settings(accumulate=accumulate), records, replicas).take(3)
    strategy = strategy_of(replicas)
    with strategy.scope():
        model = build_model(settings(), records.manifest, records.vocabulary)
    score = make_score_step(strategy, model, settings().training)
    batches = strategy.distribute_datasets_from_function(
        lambda context: scoring_batches(records, "dev", settings().training, context)
    )
    _, tokens = score(iter(batches))
    assert texts and tokens == 7 * (6 + 3)


def test_gradients_are_summed_over_replicas_once(make_records, monkeypatch):
    reduced = []
    inside = tf.distribute.ReductionToOneDevice.batch_reduce_implementation

    def counted(self, operation, values, options):
        reduced.append([value.values[0].shape for value, _ in values])
        return inside(self, operation, values, options)

    monkeypatch.setattr(
        tf.distribute.ReductionToOneDevice, "batch_reduce_implementation", counted
    )
    steps = Steps(settings(), make_records(), 2)
    steps.take(1)
    weights = sum(np.prod(v.shape) for v in steps.model.trainable_variables)
    # The number of losses and of target tokens first: they divide the loss.
    assert reduced == [[[2]], [[], [weights]]]


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
    assert context.memory.dtype == precision.removeprefix("mixed_")
    hidden = mixed.model.read(context, PackedTokens.of(tf.ones([1, 2], tf.int32)))
    assert hidden.dtype == context.memory.dtype
    assert mixed.model.predict_token(hidden).dtype == tf.float32
    assert {v.dtype for v in mixed.model.trainable_variables} == {"float32"}
    for expected, other in zip(whole.take(3), mixed.take(3), strict=True):
        assert expected.tokens == other.tokens
        assert expected.loss == pytest.approx(other.loss, rel=0.02)
        assert expected.gradient_norm == pytest.approx(other.gradient_norm, rel=0.05)
        assert other.is_good()


@pytest.mark.parametrize("replicas", [1, pytest.param(2, marks=SLOW)])
def test_a_scaled_loss_that_overflows_changes_the_scale_alone(make_records, replicas):
    config = settings(precision="mixed_float16", average_decay=0.9)
    steps = Steps(config, make_records(), replicas)
    steps.average.averages[0].assign_add(tf.ones(steps.average.averages[0].shape))
    steps.vectors.gather()
    steps.optimizer.dynamic_scale.assign(2.0**100)
    before = steps.model.get_weights()
    averages = [value.numpy() for value in steps.average.averages]
    (result,) = steps.take(1)
    assert result.is_good() and np.isfinite(result.loss)
    assert not np.isfinite(result.gradient_norm)
    for earlier, other in zip(before, steps.model.get_weights(), strict=True):
        np.testing.assert_array_equal(earlier, other)
    for earlier, other in zip(averages, steps.average.averages, strict=True):
        np.testing.assert_array_equal(earlier, other.numpy())
    assert steps.optimizer.dynamic_scale.value.numpy() == 2.0**99
    steps.optimizer.dynamic_scale.assign(2.0**10)
    (result,) = steps.take(1)
    assert np.isfinite(result.gradient_norm) and result.loss_scale == 2.0**10
    assert not np.array_equal(before[0], steps.model.get_weights()[0])
    assert not np.array_equal(averages[0], steps.average.averages[0].numpy())


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
    assert StepResult(loss, 3.0, 3.0, norm, scale, 0.0).is_good() == good
