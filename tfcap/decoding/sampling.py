"""Samples captions from the model's distribution."""

from collections.abc import Callable

import tensorflow as tf

from tfcap.config.decoding import ResolvedDecoding, SamplingConfig
from tfcap.decoding.greedy import Choose, scored, write
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.output import Captions, repeat
from tfcap.models.base import CaptioningModel, Context

fold_in_seed = tf.random.experimental.stateless_fold_in


def sample(
    model: CaptioningModel,
    context: Context,
    config: ResolvedDecoding,
    sampling: SamplingConfig,
    processor: LogitsProcessor,
) -> Captions:
    """Samples `beam_width` captions per photo and ranks them by score.

    The same seed samples the same captions for the same batch. Log-probabilities are
    those of the model, at temperature 1.
    """
    seed = tf.constant([sampling.seed, 0], tf.int32)
    rows = context.rows * config.beam_width

    def numbers(t: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([rows], fold_in_seed(seed, t))

    choose = sampler(sampling, numbers)
    drawn = draw(model, context, config, processor, config.beam_width, choose)
    return drawn.best(config.beam_width)


def draw(
    model: CaptioningModel,
    context: Context,
    config: ResolvedDecoding,
    processor: LogitsProcessor,
    count: int,
    choose: Choose,
) -> Captions:
    """Samples `count` captions per photo, unranked.

    Args:
        model: The model or ensemble.
        context: One row for each photo.
        config: Settings of the search.
        processor: Masks the logits of banned tokens.
        count: Captions per photo.
        choose: Samples the tokens of a position (`sampler`).
    """
    tokens, total = write(model, repeat(context, count), config, processor, choose)
    tokens = tf.reshape(tokens, [-1, count, config.max_length])
    return scored(tokens, tf.reshape(total, [-1, count]), config)


def sampler(
    sampling: SamplingConfig, numbers: Callable[[tf.Tensor], tf.Tensor]
) -> Choose:
    """Returns the function that samples the tokens of a position.

    Args:
        sampling: Temperature and nucleus.
        numbers: Position t -> uniform random numbers of [0, 1), float32 [rows].
    """

    def choose(logits: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        return pick(logits / sampling.temperature, numbers(t), sampling.top_p)

    return choose


def pick(logits: tf.Tensor, uniform: tf.Tensor, top_p: float) -> tf.Tensor:
    """Samples a token per row, int32 [rows].

    With `top_p` below 1 it is one of the likeliest tokens that together have this
    probability (nucleus sampling). Source: Holtzman et al., "The Curious Case of Neural
    Text Degeneration", 2020.

    Args:
        logits: float32 [rows, vocabulary].
        uniform: Random numbers of [0, 1), float32 [rows].
        top_p: Probability of the nucleus.
    """
    probability = tf.nn.softmax(logits)
    if top_p == 1:
        return invert_cumulative(probability, uniform)
    probability, token = tf.math.top_k(probability, tf.shape(logits)[1])
    before = tf.cumsum(probability, 1, exclusive=True)
    kept = tf.where(before < top_p, probability, 0.0)
    return tf.gather(token, invert_cumulative(kept, uniform), batch_dims=1)


def invert_cumulative(weights: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Returns the first index whose cumulative weight exceeds a fraction of the sum."""
    sums = tf.cumsum(weights, 1)
    target = uniform[:, tf.newaxis] * sums[:, -1:]
    return tf.reduce_sum(tf.cast(sums <= target, tf.int32), 1)
