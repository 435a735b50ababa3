"""Weights as variables that the signatures share."""

import numpy as np
import pytest
import tensorflow as tf
from graphs import nodes_of
from small_encoders import DECODING, jpeg

from tfcap.export import shared_weights
from tfcap.export.builder import photo_captioner
from tfcap.export.saved_model import export
from tfcap.export.shared_weights import SharedWeights
from tfcap.tensorflow_internals import convert_variables_to_constants_v2


def test_half_weights_move_scores_but_little(trained, captioner, monkeypatch):
    monkeypatch.setattr(shared_weights, "LARGE", 8)  # this model is small
    photos = tf.constant([jpeg(seed) for seed in range(3)])
    scores = captioner.serve(photos)["score"].numpy()
    half = photo_captioner([trained], DECODING, half=True)
    close = half.serve(photos)["score"].numpy()
    assert not (close == scores).all()
    np.testing.assert_allclose(close, scores, atol=0.01)


def matrix_times(weights: tf.Variable):
    """A graph of products: one to fold, others in a loop in a loop behind a loop."""

    def thrice(run):
        return lambda x: tf.while_loop(
            lambda i, _: i < 3, lambda i, x: (i + 1, run(x)), (0, x)
        )[1]

    def products(x):
        looped = thrice(thrice(lambda x: x @ weights))(thrice(tf.sin)(x))
        return x @ (2.0 * weights), looped

    traced = tf.function(products, autograph=False)
    spec = tf.TensorSpec([None, 64], tf.float32)
    return convert_variables_to_constants_v2(traced.get_concrete_function(spec))


@pytest.mark.parametrize("half", [False, True])
def test_graphs_share_weights(half):
    values = np.linspace(-0.1, 0.1, 64 * 64, dtype=np.float32).reshape(64, 64)
    weights = SharedWeights(half)
    before = [tf.Variable(values) for _ in range(2)]
    functions = [weights.share(matrix_times(one)) for one in before]
    kept = {np.max(value): value for value in weights.variables}
    assert {value.dtype for value in kept.values()} == {
        tf.float16 if half else tf.float32
    }
    once, twice = (tf.cast(kept[name], tf.float32) for name in sorted(kept))
    np.testing.assert_allclose(once, values, rtol=1e-3)
    np.testing.assert_allclose(twice, 2 * values, rtol=1e-3)  # folded
    given = tf.random.stateless_normal([3, 64], [0, 0])
    expected = tf.sin(tf.sin(tf.sin(given)))
    for _ in range(9):
        expected = expected @ once
    for function in functions:
        folded, looped = function(given)
        np.testing.assert_allclose(folded, given @ twice, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(looped, expected, rtol=1e-3, atol=1e-4)


def test_weights_are_no_part_of_the_graph(trained, tmp_path, monkeypatch):
    """Every function and every run of a signature would hold a copy of its own."""
    monkeypatch.setattr(shared_weights, "LARGE", 100)  # this model is small
    captioner = photo_captioner([trained], DECODING)
    nodes = nodes_of(export(captioner, str(tmp_path)))
    assert not [n for n in nodes if n.op == "Const" and numbers_in(n) >= 100]
    assert len(captioner.weights.variables) > 2


def numbers_in(node) -> int:
    """Of a constant that is no text."""
    tensor = node.attr["value"].tensor
    if tensor.dtype == tf.string.as_datatype_enum:
        return 0
    return tf.TensorShape(tensor.tensor_shape).num_elements()
