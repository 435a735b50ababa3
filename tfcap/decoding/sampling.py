"""Captions drawn from the model's distribution instead of searched for."""

from collections.abc import Callable

import tensorflow as tf

from tfcap.config.decoding import DecodingConfig
from tfcap.decoding.greedy import scored, write
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.output import Captions, repeat
from tfcap.models.base import CaptioningModel, Context

fold_in_seed = tf.random.experimental.stateless_fold_in


def sample(
    model: CaptioningModel,
    context: Context,
    config: DecodingConfig,
    rules: LogitsProcessor,
) -> Captions:
    """Draws `beam_width` captions a photo, the one with the best score first.

    The same seed draws the same captions of the same batch. Log-probabilities are the
    model's, at temperature 1.
    """
    seed = tf.constant([config.sampling.seed, 0], tf.int32)
    rows = context.rows * config.beam_width

    def numbers(t):
        return tf.random.stateless_uniform([rows], fold_in_seed(seed, t))

    drawn = draw(model, context, config, rules, config.beam_width, numbers)
    score, order = tf.math.top_k(drawn.score, config.beam_width)
    return Captions(
        tf.gather(drawn.tokens, order, batch_dims=1),
        score,
        tf.gather(drawn.log_probability, order, batch_dims=1),
    )


def draw(
    model: CaptioningModel,
    context: Context,
    config: DecodingConfig,
    rules: LogitsProcessor,
    count: int,
    numbers: Callable[[tf.Tensor], tf.Tensor],
) -> Captions:
    """Draws `count` captions a photo, in the order of drawing.

    Args:
        numbers: of position t, from [0, 1), float32 [photos * count].
    """
    settings = config.sampling

    def choose(logits, t):
        return pick(logits / settings.temperature, numbers(t), settings.top_p)

    tokens, total = write(model, repeat(context, count), config, rules, choose)
    tokens = tf.reshape(tokens, [-1, count, config.max_length])
    return scored(tokens, tf.reshape(total, [-1, count]), config)


def pick(logits: tf.Tensor, uniform: tf.Tensor, top_p: float) -> tf.Tensor:
    """Picks a token a row, int32 [rows], by numbers drawn from [0, 1), float32 [rows].

    With `top_p` below 1 only from the likeliest tokens that have this probability
    together. Source: Holtzman et al., "The Curious Case of Neural Text Degeneration",
    2020.
    """
    probability = tf.nn.softmax(logits)
    if top_p == 1:
        return place(probability, uniform)
    probability, token = tf.math.top_k(probability, tf.shape(logits)[1])
    before = tf.cumsum(probability, 1, exclusive=True)
    kept = tf.where(before < top_p, probability, 0.0)
    return tf.gather(token, place(kept, uniform), batch_dims=1)


def place(weights: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """The place where the sum of weights so far passes a share of the whole."""
    sums = tf.cumsum(weights, 1)
    target = uniform[:, tf.newaxis] * sums[:, -1:]
    return tf.reduce_sum(tf.cast(sums <= target, tf.int32), 1)
