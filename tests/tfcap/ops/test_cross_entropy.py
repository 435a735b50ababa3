"""Cross-entropy against its definition, in values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from tfcap.ops.cross_entropy import smoothed_cross_entropy


def by_definition(logits, target, smoothing):
    words = logits.shape[1]
    mixed = (1 - smoothing) * tf.one_hot(target, words) + smoothing / words
    return tf.nn.softmax_cross_entropy_with_logits(mixed, logits)


def values_and_gradients(function, logits, target, smoothing):
    weights = tf.range(1.0, len(target) + 1.0)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = function(logits, target, smoothing)
        weighted = tf.reduce_sum(losses * weights)
    return losses.numpy(), tape.gradient(weighted, logits).numpy()


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_it_agrees_with_its_definition(smoothing):
    logits = tf.random.stateless_normal([9, 7], [1, 2], stddev=3.0)
    target = tf.constant([0, 1, 2, 3, 4, 5, 6, 0, 6])
    ours = values_and_gradients(smoothed_cross_entropy, logits, target, smoothing)
    theirs = values_and_gradients(by_definition, logits, target, smoothing)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-5)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5, atol=1e-6)


def test_a_target_as_good_as_impossible_has_a_finite_loss():
    logits = tf.constant([[1000.0, 0.0, 0.0], [-1e4, 0.0, 1e4]])
    losses, gradients = values_and_gradients(
        smoothed_cross_entropy, logits, tf.constant([1, 0]), 0.0
    )
    np.testing.assert_allclose(losses, [1000, 20000])
    np.testing.assert_allclose(gradients, [[1, -1, 0], [-2, 0, 2]])


def test_a_share_without_tokens_has_no_loss_and_no_gradient():
    losses, gradients = values_and_gradients(
        smoothed_cross_entropy, tf.zeros([0, 7]), tf.zeros([0], tf.int32), 0.1
    )
    assert losses.shape == (0,)
    assert gradients.shape == (0, 7)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_the_same_in_a_compiled_function(smoothing):
    logits = tf.random.stateless_normal([4, 5], [3, 4])
    target = tf.constant([4, 3, 2, 1])
    plain = smoothed_cross_entropy(logits, target, smoothing)
    traced = tf.function(smoothed_cross_entropy)(logits, target, smoothing)
    np.testing.assert_array_equal(plain, traced)
