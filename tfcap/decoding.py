"""Greedy and beam search: batched, in graph, the text's state carried along.

A caption's score is its log-probability over `length ** length_exponent`, where length
counts its tokens after `<start>`, `<end>` included (exponent 1: the mean
log-probability of a token; 0: none of the length taken into account).
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.tokenizer import Tokenizer
from records.tokenizer_settings import TokenizerSettings
from records.vocabulary import END_ID, PAD_ID, START_ID, UNK_ID, Vocabulary
from tfcap.config import DecodingConfig
from tfcap.models.base import Captioner, Context, State, take

# Far below any caption's log-probability, far above float32's overflow.
NEVER = -1e9


class Captions(NamedTuple):
    """Captions of a batch of photos, best first.

    Attributes:
        tokens: int32 [photos, n, length], `<start>` first, padded with 0.
        score: float32 [photos, n].
        log_probability: float32 [photos, n].
    """

    tokens: tf.Tensor
    score: tf.Tensor
    log_probability: tf.Tensor

    def mean_log_probability(self) -> tf.Tensor:
        """Per token after `<start>`, float32 [photos, n]."""
        real = tf.reduce_sum(tf.cast(self.tokens != PAD_ID, tf.float32), -1)
        return self.log_probability / (real - 1)


def search(
    model: Captioner,
    features: tf.Tensor,
    config: DecodingConfig,
    vocabulary: Vocabulary,
) -> Captions:
    """Writes captions for features [photos, *shape]; beam width 1 is greedy.

    `config.max_length` must be set (`DecodingConfig.up_to`).
    """
    context = model.encode(features)
    barred = barred_tokens(vocabulary)
    if config.beam_width == 1:
        return greedy_search(model, context, config, barred)
    return beam_search(model, context, config, barred)


def barred_tokens(vocabulary: Vocabulary) -> tf.Tensor:
    """Added to log-probabilities: no caption holds `<pad>`, `<start>` or `<unk>`."""
    barred = np.zeros(len(vocabulary), np.float32)
    barred[[PAD_ID, START_ID, *([UNK_ID] if vocabulary.has_unknown else [])]] = NEVER
    return tf.constant(barred)


def greedy_search(
    model: Captioner, context: Context, config: DecodingConfig, barred: tf.Tensor
) -> Captions:
    """Takes the likeliest token at each step; the last one is `<end>`."""
    photos, length = context.rows, config.max_length
    tokens = tf.concat(
        [
            tf.fill([photos, 1], START_ID),
            tf.fill([photos, length - 1], PAD_ID),
        ],
        1,
    )

    def step(t, tokens, state, total, open_):
        logits, state = model.step(context, state, tokens[:, t - 1])
        logs = tf.nn.log_softmax(logits) + barred
        token = tf.argmax(logs, 1, tf.int32)
        token = tf.where(t == length - 1, END_ID, token)
        gained = tf.gather(logs, token, batch_dims=1)
        token = tf.where(open_, token, PAD_ID)
        tokens = set_column(tokens, t, token)
        total += tf.where(open_, gained, 0.0)
        return t + 1, tokens, state, total, open_ & (token != END_ID)

    loop = [
        tf.constant(1),
        tokens,
        model.initial_state(context, length - 1),
        tf.zeros([photos]),
        tf.ones([photos], tf.bool),
    ]
    _, tokens, _, total, _ = tf.while_loop(
        lambda t, tokens, state, total, open_: (t < length) & tf.reduce_any(open_),
        step,
        loop,
        shape_invariants=any_batch(loop),
    )
    total = total[:, tf.newaxis]
    captions = Captions(tokens[:, tf.newaxis], total, total)
    used = tf.reduce_sum(tf.cast(captions.tokens != PAD_ID, tf.float32), -1) - 1
    return captions._replace(score=total / used**config.length_exponent)


def beam_search(
    model: Captioner, context: Context, config: DecodingConfig, barred: tf.Tensor
) -> Captions:
    """Keeps the `beam_width` likeliest open captions, and as many ended ones.

    At each step every open caption is also ended, and takes its place among the ended
    if its score earns it; so a long caption cannot push a short one out. The search
    stops when no open caption can overtake any ended one.

    Source of the two sets: Wu et al., "Google's Neural Machine Translation System",
    2016, section 7; the exponent as in Bahdanau's `score / length ** exponent`.
    """
    width, length = config.beam_width, config.max_length
    photos = context.rows
    beams = take(context, tf.repeat(tf.range(photos), width))
    blank = tf.fill([photos, width, length], PAD_ID)
    first = tf.fill([photos, width], START_ID)

    def normalized(total, t):
        return total / tf.cast(t, tf.float32) ** config.length_exponent

    def unfinished(t, open_, open_total, state, ended, ended_score, ended_total):
        # Totals only fall, and the longest caption divides by most.
        best = normalized(open_total[:, 0], length - 1)
        return (t < length) & tf.reduce_any(best > ended_score[:, -1])

    def step(t, open_, open_total, state, ended, ended_score, ended_total):
        token = tf.reshape(open_[:, :, t - 1], [-1])
        logits, state = model.step(beams, state, token)
        logs = tf.reshape(tf.nn.log_softmax(logits) + barred, [photos, width, -1])
        total = open_total[:, :, tf.newaxis] + logs

        # End every open caption, and keep the best of these and those ended before.
        end_total = total[:, :, END_ID]
        candidates = tf.concat([ended, set_column(open_, t, END_ID)], 1)
        totals = tf.concat([ended_total, end_total], 1)
        scores = tf.concat([ended_score, normalized(end_total, t)], 1)
        ended_score, chosen = tf.math.top_k(scores, width)
        ended = tf.gather(candidates, chosen, batch_dims=1)
        ended_total = tf.gather(totals, chosen, batch_dims=1)

        # Go on with the likeliest of all continuations.
        vocabulary = tf.shape(total)[2]
        goes_on = total + tf.one_hot(END_ID, vocabulary, NEVER, 0.0)
        flat = tf.reshape(goes_on, [photos, width * vocabulary])
        open_total, chosen = tf.math.top_k(flat, width)
        parent, token = chosen // vocabulary, chosen % vocabulary
        open_ = set_column(tf.gather(open_, parent, batch_dims=1), t, token)
        state = take_beams(state, parent)
        return t + 1, open_, open_total, state, ended, ended_score, ended_total

    never = tf.fill([photos, width], NEVER)
    loop = [
        tf.constant(1),
        set_column(blank, 0, first),
        # All beams begin alike: only the first may be continued.
        set_column(never, 0, tf.zeros([photos])),
        model.initial_state(beams, length - 1),
        blank,
        # Below the score of any caption that has a barred token in it.
        never * 1e9,
        never * 1e9,
    ]
    *_, ended, score, total = tf.while_loop(
        unfinished, step, loop, shape_invariants=any_batch(loop)
    )
    return Captions(ended, score, total)


def any_batch(loop: list) -> list:
    """Shapes of a loop's values with the batch left open, as `tf.gather` leaves it."""
    return tf.nest.map_structure(
        lambda value: tf.TensorShape([None, *value.shape[1:]][: value.shape.rank]), loop
    )


def take_beams(state: State, parent: tf.Tensor) -> State:
    """Reorders a state of [photos * width, ...] by `parent` int32 [photos, width]."""
    photos, width = tf.unstack(tf.shape(parent))
    rows = tf.reshape(tf.range(photos)[:, tf.newaxis] * width + parent, [-1])
    return tf.nest.map_structure(lambda part: tf.gather(part, rows), state)


def set_column(values: tf.Tensor, index: tf.Tensor | int, column) -> tf.Tensor:
    """Replaces `values[..., index]` by `column`."""
    here = tf.range(tf.shape(values)[-1]) == index
    return tf.where(here, tf.expand_dims(tf.cast(column, values.dtype), -1), values)


def detokenize(
    tokens: tf.Tensor, vocabulary: Vocabulary, settings: TokenizerSettings
) -> tf.Tensor:
    """Tokens int32 [..., length] -> captions, string [...], with core operations.

    Args:
        settings: of the tokenizer; they say how tokens are put together.
    """
    texts = [text.encode() for text in Tokenizer(settings).texts(vocabulary)]
    joined = tf.strings.reduce_join(tf.gather(tf.constant(texts), tokens), axis=-1)
    # A model that writes characters may write several spaces.
    return tf.strings.strip(tf.strings.regex_replace(joined, " +", " "))
