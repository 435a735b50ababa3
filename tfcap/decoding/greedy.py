"""Greedy search, and the loop it shares with sampling: one token a row and step."""

from collections.abc import Callable

import tensorflow as tf

from records.text.vocabulary import END_ID, PAD_ID, START_ID
from tfcap.config.decoding import DecodingConfig
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.output import Captions, any_batch, set_column
from tfcap.models.base import CaptioningModel, Context

Choose = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def greedy_search(
    model: CaptioningModel,
    context: Context,
    config: DecodingConfig,
    rules: LogitsProcessor,
) -> Captions:
    """Takes the likeliest token at each step; the last one is `<end>`."""

    def likeliest(logits, t):
        return tf.argmax(logits, 1, tf.int32)

    tokens, total = write(model, context, config, rules, likeliest)
    return scored(tokens[:, tf.newaxis], total[:, tf.newaxis], config)


def write(
    model: CaptioningModel,
    context: Context,
    config: DecodingConfig,
    rules: LogitsProcessor,
    choose: Choose,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Writes one caption a row, token by token, until all have ended.

    Args:
        choose: (logits float32 [rows, vocabulary], those that may not come next far
            below all others; t) -> token int32 [rows].

    Returns:
        Tokens int32 [rows, length] and log-probability float32 [rows].
    """
    rows, length = context.rows, config.max_length
    tokens = set_column(tf.fill([rows, length], PAD_ID), 0, tf.fill([rows], START_ID))

    def step(t, tokens, state, total, open_):
        logits, state = model.step(context, state, tokens[:, t - 1])
        token = choose(rules.apply(logits, tokens, t), t)
        token = tf.where(t == length - 1, END_ID, token)
        gained = tf.gather(logits, token, batch_dims=1) - tf.reduce_logsumexp(logits, 1)
        token = tf.where(open_, token, PAD_ID)
        tokens = set_column(tokens, t, token)
        total += tf.where(open_, gained, 0.0)
        return t + 1, tokens, state, total, open_ & (token != END_ID)

    loop = [
        tf.constant(1),
        tokens,
        model.initial_state(context, length - 1),
        tf.zeros([rows]),
        tf.ones([rows], tf.bool),
    ]
    _, tokens, _, total, _ = tf.while_loop(
        lambda t, tokens, state, total, open_: (t < length) & tf.reduce_any(open_),
        step,
        loop,
        shape_invariants=any_batch(loop),
    )
    return tokens, total


def scored(tokens: tf.Tensor, total: tf.Tensor, config: DecodingConfig) -> Captions:
    """Captions with the score that the configuration gives them, as they stand."""
    used = tf.reduce_sum(tf.cast(tokens != PAD_ID, tf.float32), -1) - 1
    return Captions(tokens, total / used**config.length_exponent, total)
