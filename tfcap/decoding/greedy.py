"""Greedy search, and the loop that it shares with sampling."""

from collections.abc import Callable

import tensorflow as tf

from records.text.vocabulary import END_ID, PAD_ID, START_ID
from tfcap.config.decoding import ResolvedDecoding
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.output import Captions, any_batch, set_column
from tfcap.models.base import CaptioningModel, Context

# (masked logits float32 [rows, vocabulary], position int32 []) -> tokens int32 [rows].
Choose = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def greedy_search(
    model: CaptioningModel,
    context: Context,
    config: ResolvedDecoding,
    processor: LogitsProcessor,
) -> Captions:
    """Takes the likeliest token at each step. The last token is `<end>`."""

    def likeliest(logits: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        return tf.argmax(logits, 1, tf.int32)

    tokens, total = write(model, context, config, processor, likeliest)
    return scored(tokens[:, tf.newaxis], total[:, tf.newaxis], config)


def write(
    model: CaptioningModel,
    context: Context,
    config: ResolvedDecoding,
    processor: LogitsProcessor,
    choose: Choose,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Writes one caption per row, token by token, until all have ended.

    Args:
        model: The model or ensemble.
        context: One row for each caption.
        config: Settings of the search.
        processor: Masks the logits of banned tokens.
        choose: Picks the tokens of a position.

    Returns:
        Tokens int32 [rows, length] and log-probability float32 [rows].
    """
    rows, length = context.rows, config.max_length
    tokens = set_column(tf.fill([rows, length], PAD_ID), 0, tf.fill([rows], START_ID))

    def step(t, tokens, state, total, is_live):
        logits, state = model.step(context, state, tokens[:, t - 1])
        token = choose(processor.apply(logits, tokens, t), t)
        token = tf.where(t == length - 1, END_ID, token)
        gained = tf.gather(logits, token, batch_dims=1) - tf.reduce_logsumexp(logits, 1)
        token = tf.where(is_live, token, PAD_ID)
        tokens = set_column(tokens, t, token)
        total += tf.where(is_live, gained, 0.0)
        return t + 1, tokens, state, total, is_live & (token != END_ID)

    loop = [
        tf.constant(1),
        tokens,
        model.initial_state(context, length - 1),
        tf.zeros([rows]),
        tf.ones([rows], tf.bool),
    ]
    _, tokens, _, total, _ = tf.while_loop(
        lambda t, tokens, state, total, is_live: (t < length) & tf.reduce_any(is_live),
        step,
        loop,
        shape_invariants=any_batch(loop),
    )
    return tokens, total


def scored(tokens: tf.Tensor, total: tf.Tensor, config: ResolvedDecoding) -> Captions:
    """Returns captions with their length-normalized scores, in the same order."""
    lengths = tf.reduce_sum(tf.cast(tokens != PAD_ID, tf.float32), -1) - 1
    return Captions(tokens, total / lengths**config.length_exponent, total)
