"""Captions drawn from the distribution."""

import numpy as np
import tensorflow as tf
from table_model import END, WORDS, TableModel
from test_searches import stripped

from tfcap.config.decoding import ResolvedDecoding, SamplingConfig
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.sampling import pick, sample
from tfcap.models.base import Context


def drawn(seed=0, width=4, **settings):
    config = ResolvedDecoding(beam_width=width, max_length=6)
    sampling = SamplingConfig(seed=seed, **settings)
    rules = LogitsProcessor.of(config, WORDS)
    model = TableModel(photos=3, seed=5)
    write = tf.function(lambda context: sample(model, context, config, sampling, rules))
    return model, write(Context.of_photos(tf.range(3)))


def test_the_seed_decides():
    _, first = drawn(seed=1, width=20)
    _, again = drawn(seed=1, width=20)
    _, other = drawn(seed=2, width=20)
    np.testing.assert_array_equal(first.tokens, again.tokens)
    assert (first.tokens.numpy() != other.tokens.numpy()).any()


def test_scores_are_the_models_and_fall():
    model, found = drawn(width=5, temperature=2.0)
    for photo in range(3):
        rows = [stripped(row) for row in found.tokens[photo]]
        assert all(row[-1] == END and not {0, 1, 3} & {*row} for row in rows)
        scores = [model.score(photo, row) / len(row) for row in rows]
        assert scores == sorted(scores, reverse=True)
        np.testing.assert_allclose(found.score[photo], scores, rtol=1e-4, atol=1e-5)


def test_tokens_come_as_often_as_their_probability_says():
    logits = tf.math.log([[0.5, 0.0, 0.2, 0.3]])
    uniform = tf.random.stateless_uniform([20_000], [0, 0])
    counts = np.bincount(pick(tf.repeat(logits, 20_000, 0), uniform, 1.0), minlength=4)
    np.testing.assert_allclose(counts / 20_000, [0.5, 0, 0.2, 0.3], atol=0.02)


def test_top_p_leaves_the_least_likely_out():
    logits = tf.repeat(tf.math.log([[0.5, 0.05, 0.15, 0.3]]), 20_000, 0)
    uniform = tf.random.stateless_uniform([20_000], [0, 0])
    counts = np.bincount(pick(logits, uniform, 0.6), minlength=4)
    np.testing.assert_allclose(counts / 20_000, [0.625, 0, 0, 0.375], atol=0.02)


def test_a_low_temperature_is_greedy():
    _, cold = drawn(temperature=1e-3)
    assert (cold.tokens.numpy() == cold.tokens.numpy()[:, :1]).all()
