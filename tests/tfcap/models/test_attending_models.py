"""What attention and transformer promise, beside what the merge model does."""

import numpy as np
import pytest
import tensorflow as tf
from losses import losses_and_gradients, read

from records.errors import UserError
from records.format.manifest import FeatureStatistics
from records.format.schema import FeatureSpec
from tfcap.config.model import AttentionConfig, TransformerConfig
from tfcap.data.expansion import expand_causal, expand_prefixes, pad
from tfcap.models.attention import AttentionCaptioner
from tfcap.models.base import Context
from tfcap.models.transformer import TransformerCaptioner
from tfcap.training.objectives import token_losses

VOCABULARY = 11
GRID, VECTOR = (2, 3, 6), (6,)
IDS = tf.ragged.constant(
    [[[1, 5, 7, 2], [1, 7, 2]], [[1, 5, 8, 6, 9, 2]], [[1, 3, 10, 2]]], dtype=tf.int64
)
TOKENS = tf.constant([[1, 5, 8], [1, 3, 10], [1, 7, 7], [1, 4, 4], [1, 9, 3]])
PHOTO = tf.constant([2, 0, 2, 1, 2])
BOTH = pytest.mark.parametrize("name", ["attention", "transformer"])


def build(name, shape=GRID, seed=0, **changes):
    small = {"components": 4, "embedding_units": 8, "heads": 2, **changes}
    channels = shape[-1]
    moments = FeatureStatistics(mean=[0.5] * channels, deviation=[2.0] * channels)
    spec = FeatureSpec(shape=shape, dtype="float32")
    if name == "transformer":
        config = TransformerConfig(feed_forward_units=12, **small)
        return TransformerCaptioner(config, VOCABULARY, spec, moments, seed)
    config = AttentionConfig(lstm_units=10, attention_units=8, output_units=12, **small)
    return AttentionCaptioner(config, VOCABULARY, spec, moments, seed)


def features(shape=GRID):
    values = np.random.default_rng(0).normal(size=(3, *shape))
    return tf.constant(values, tf.float32)


def batch(expand, shape=GRID):
    return {"features": features(shape), **expand(*pad(IDS))}


@BOTH
@pytest.mark.parametrize("shape", [GRID, VECTOR])
def test_both_expansions_have_the_same_loss_and_gradients(name, shape):
    model = build(name, shape)
    prefix, ours = losses_and_gradients(model, batch(expand_prefixes, shape))
    causal, theirs = losses_and_gradients(model, batch(expand_causal, shape))
    np.testing.assert_allclose(np.sort(prefix), np.sort(causal), rtol=1e-5)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6)


@BOTH
@pytest.mark.parametrize("expand", [expand_prefixes, expand_causal])
def test_leaving_padding_out_changes_no_loss_and_no_gradient(name, expand):
    model, seed = build(name), tf.constant([1, 2, 3])
    found, gradients = losses_and_gradients(model, batch(expand), seed)
    padded, its_gradients = losses_and_gradients(model, batch(expand), seed, True)
    np.testing.assert_allclose(found, padded[padded != 0], rtol=1e-5)
    for one, other in zip(gradients, its_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=5e-6)


@BOTH
def test_the_gradient_is_that_of_the_loss(name):
    model = build(name)
    given = batch(expand_causal)
    loss = tf.function(lambda: tf.reduce_sum(token_losses(model, given, 0.1, None)))
    _, gradients = losses_and_gradients(model, batch(expand_causal))
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        before, moved = variable.numpy(), []
        for change in (1e-3, -1e-3):
            after = before.copy()
            after[place] += change
            variable.assign(after)
            moved.append(float(loss()))
        variable.assign(before)
        slope = (moved[0] - moved[1]) / 2e-3
        assert slope == pytest.approx(float(gradient[place]), rel=0.03, abs=5e-3)


@BOTH
def test_stepping_says_what_reading_says(name):
    model = build(name)
    context = model.encode(features()).select_rows(PHOTO)
    at_once = read(model, context, TOKENS)
    state = model.initial_state(context, 5)
    for t in range(3):
        logits, state = model.step(context, state, TOKENS[:, t])
        expected = model.predict_token(at_once[:, t])
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


@BOTH
def test_a_row_sees_its_own_photo_and_the_tokens_before_alone(name):
    model = build(name)
    whole = read(model, model.encode(features()).select_rows(PHOTO), TOKENS)
    for row, photo in enumerate(PHOTO.numpy()):
        alone = model.encode(features()[photo : photo + 1])
        padded = tf.concat([TOKENS[row : row + 1, :2], [[0, 0]]], 1)
        found = read(model, alone, padded)[0, :2]
        np.testing.assert_allclose(found, whole[row, :2], rtol=1e-4, atol=1e-5)


@BOTH
def test_attention_is_shared_out_over_the_cells_of_the_features(name):
    model = build(name)
    shares = model.attention(model.encode(features()).select_rows(PHOTO), TOKENS)
    assert shares.shape == [5, 3, 6] and shares.dtype == tf.float32
    np.testing.assert_allclose(tf.reduce_sum(shares, -1), np.ones([5, 3]), rtol=1e-5)
    assert np.ptp(shares.numpy()) > 1e-4


@BOTH
def test_training_with_a_seed_drops_mirrors_and_repeats_itself(name):
    model = build(name, word_dropout=0.2)
    dropped, _ = losses_and_gradients(
        model, batch(expand_causal), tf.constant([1, 2, 3])
    )
    again, _ = losses_and_gradients(model, batch(expand_causal), tf.constant([1, 2, 3]))
    plain, _ = losses_and_gradients(model, batch(expand_causal))
    np.testing.assert_array_equal(dropped, again)
    assert (dropped != plain).any()


@BOTH
def test_an_empty_share_of_a_batch_costs_nothing(name):
    model = build(name)
    unknown = tf.TensorSpec([None, None], tf.int32)
    signature = {
        "features": tf.TensorSpec([None, *GRID]),
        "photo": tf.TensorSpec([None], tf.int32),
        "prefix": unknown,
        "target": unknown,
    }

    @tf.function(input_signature=[signature])
    def gradients(batch):
        with tf.GradientTape() as tape:
            seeds = tf.zeros([0], tf.int32)
            loss = tf.reduce_sum(token_losses(model, batch, 0.1, seeds))
        return tape.gradient(loss, [v.value for v in model.trainable_variables])

    found = gradients(
        {"features": tf.zeros([0, *GRID]), **expand_causal(*pad(IDS[:0]))}
    )
    assert all(not tf.convert_to_tensor(g).numpy().any() for g in found)


@BOTH
@pytest.mark.parametrize(
    "changes",
    [
        {"tied": False},
        {"pooled_cell": False, "pooled_words": False},
        {"components": None, "positions": False, "flip": False},
    ],
)
def test_every_ingredient_can_be_left_out(name, changes):
    model = build(name, **changes)
    _, gradients = losses_and_gradients(
        model, batch(expand_causal), tf.constant([1, 2, 3])
    )
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_half_of_the_grids_are_mirrored_by_the_seed():
    cells = build("attention", pooled_cell=False, positions=False).cells
    grids = tf.random.stateless_normal([64, *GRID], [1, 2])
    found = cells.mirrored(grids, tf.range(64)).numpy()
    mirrored = (found == grids.numpy()[:, :, ::-1]).all((1, 2, 3))
    same = (found == grids.numpy()).all((1, 2, 3))
    assert (mirrored ^ same).all() and 20 < mirrored.sum() < 44
    assert cells.mirrored(grids, None) is grids


def test_a_context_of_beams_attends_as_its_photos_do():
    model = build("attention")
    context = model.encode(features())
    beams = context.select_rows(tf.repeat(tf.range(3), 2))
    assert isinstance(beams, Context)
    tokens = tf.repeat(TOKENS[:3], 2, axis=0)
    alone = read(model, context, TOKENS[:3])
    found = read(model, beams, tokens)
    np.testing.assert_allclose(found[::2], alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1::2], alone, rtol=1e-4, atol=1e-5)


@BOTH
@pytest.mark.parametrize("shape", [(100000,), (2, 2, 2, 6)])
def test_features_without_cells_are_refused(name, shape):
    with pytest.raises(UserError, match=f"model.name {name} attends to cells.*grid"):
        build(name, shape)


@BOTH
def test_a_checkpoint_has_every_weight(name, tmp_path):
    """Of layers in a list it would have none, and say nothing."""
    model = build(name)
    path = tf.train.Checkpoint(model=model).save(str(tmp_path / "state"))
    kept = [n for n, _ in tf.train.list_variables(path) if n.startswith("model/")]
    assert len(kept) == len(model.weights)
