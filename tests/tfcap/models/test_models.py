"""The merge model, and what every model promises."""

import numpy as np
import pytest
import tensorflow as tf
from losses import losses_and_gradients, read

from records.format.manifest import FeatureStatistics
from records.format.schema import FeatureSpec
from tfcap.config.model import MergeConfig
from tfcap.data.expansion import expand_causal, expand_prefixes, pad
from tfcap.models.base import Context
from tfcap.models.layers.standardization import standardizer
from tfcap.models.merge import MergeCaptioner
from tfcap.training.objectives import token_losses

VOCABULARY = 11
IDS = tf.ragged.constant(
    [[[1, 5, 7, 2], [1, 7, 2]], [[1, 5, 8, 6, 9, 2]], [[1, 3, 10, 2]]], dtype=tf.int64
)


def build(shape=(6,), seed=0, **changes) -> MergeCaptioner:
    config = MergeConfig(image_units=8, lstm_units=8, embedding_units=5, **changes)
    channels = shape[-1]
    moments = FeatureStatistics(mean=[0.5] * channels, deviation=[2.0] * channels)
    spec = FeatureSpec(shape=shape, dtype="float32")
    return MergeCaptioner(config, VOCABULARY, spec, moments, seed=seed)


def batch(expand, shape=(6,)):
    features = np.random.default_rng(0).normal(size=(3, *shape)).astype(np.float32)
    return {"features": tf.constant(features), **expand(*pad(IDS))}


@pytest.mark.parametrize("photo", ["merge", "init"])
def test_both_expansions_have_the_same_loss_and_gradients(photo):
    model = build(photo=photo)
    prefix, prefix_gradients = losses_and_gradients(model, batch(expand_prefixes))
    causal, causal_gradients = losses_and_gradients(model, batch(expand_causal))
    np.testing.assert_allclose(np.sort(prefix), np.sort(causal), rtol=1e-5)
    assert len(prefix) == 3 + 2 + 5 + 3
    for ours, theirs in zip(prefix_gradients, causal_gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("photo", ["merge", "init"])
@pytest.mark.parametrize("expand", [expand_prefixes, expand_causal])
def test_leaving_padding_out_changes_no_loss_and_no_gradient(expand, photo):
    model = build(photo=photo, text_dropout=0.4, output_dropout=0.4)
    seed = tf.constant([1, 2, 3])
    found, gradients = losses_and_gradients(model, batch(expand), seed)
    padded, its_gradients = losses_and_gradients(model, batch(expand), seed, True)
    assert len(found) == 3 + 2 + 5 + 3
    np.testing.assert_allclose(found, padded[padded != 0], rtol=1e-5)
    for ours, theirs in zip(gradients, its_gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("photo", ["merge", "init"])
def test_stepping_says_what_reading_says(photo):
    model = build(photo=photo)
    context = model.encode(batch(expand_causal)["features"])
    tokens = tf.constant([[1, 5, 8], [1, 3, 10], [1, 7, 7]])
    hidden = read(model, context, tokens)
    state = model.initial_state(context, 3)
    for t in range(3):
        logits, state = model.step(context, state, tokens[:, t])
        at_once = model.predict_token(hidden[:, t])
        np.testing.assert_allclose(logits, at_once, rtol=1e-4, atol=1e-6)


def test_rows_are_taken_by_photo_and_no_photo_is_copied():
    grid = tf.zeros([3, 2, 2])
    rows = Context.of_photos({"grid": grid}).select_rows([2, 0, 0, 1])
    assert rows.memory["grid"] is grid
    assert rows.photo.numpy().tolist() == [2, 0, 0, 1]
    assert rows.select_rows([0, 3]).photo.numpy().tolist() == [2, 1]


def test_padding_on_the_right_changes_nothing_before_it():
    model = build()
    context = model.encode(batch(expand_causal)["features"][:1])
    short = read(model, context, [[1, 5]])
    padded = read(model, context, [[1, 5, 0, 0]])
    np.testing.assert_allclose(short, padded[:, :2], rtol=1e-5)


def test_weights_are_a_function_of_the_seed():
    first, again, other = build(seed=1), build(seed=1), build(seed=2)
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first.get_weights(), other.get_weights()))


def test_training_with_a_seed_drops_and_without_does_not():
    model = build()
    dropped, _ = losses_and_gradients(
        model, batch(expand_causal), tf.constant([1, 2, 3])
    )
    again, _ = losses_and_gradients(model, batch(expand_causal), tf.constant([1, 2, 3]))
    plain, _ = losses_and_gradients(model, batch(expand_causal))
    np.testing.assert_array_equal(dropped, again)
    assert (dropped != plain).any()


def test_a_grid_is_averaged_over_its_cells():
    grid, pooled = build(shape=(2, 3, 6)), build(shape=(6,))
    features = tf.random.stateless_normal([2, 2, 3, 6], [1, 2])
    np.testing.assert_allclose(
        grid.encode(features).memory,
        pooled.encode(tf.reduce_mean(features, [1, 2])).memory,
        rtol=1e-5,
    )


def test_standardizing_uses_the_moments_and_silences_dead_features():
    layer = standardizer(
        FeatureStatistics(mean=[1e-4, 3.0, 7.0], deviation=[1e-5, 2, 0])
    )
    values = layer(tf.constant([[1.3e-4, 5.0, 7.5]]))
    np.testing.assert_allclose(values, [[3.0, 1.0, 0.0]], rtol=1e-4)


def test_features_of_a_random_network_keep_their_scale():
    # A random InceptionV3's pooled features are of the order of 1e-4.
    layer = standardizer(FeatureStatistics(mean=[2e-4] * 2, deviation=[1e-5] * 2))
    np.testing.assert_allclose(
        layer(tf.constant([[2e-4, 2.2e-4]])), [[0, 2]], atol=1e-4
    )


def test_a_frozen_embedding_is_not_trained():
    names = {v.path.split("/")[-2] for v in build().trainable_variables}
    frozen = {
        v.path.split("/")[-2]
        for v in build(embedding_trainable=False).trainable_variables
    }
    assert names - frozen == {"embedding"}


def test_an_empty_share_of_a_batch_costs_nothing():
    # As the training step sees it: a graph that does not know it will be empty.
    model = build()
    unknown = tf.TensorSpec([None, None], tf.int32)
    signature = {
        "features": tf.TensorSpec([None, 6]),
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

    found = gradients({"features": tf.zeros([0, 6]), **expand_causal(*pad(IDS[:0]))})
    assert all(not tf.convert_to_tensor(g).numpy().any() for g in found)
