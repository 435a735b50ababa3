"""Beam search."""

import numpy as np
import tensorflow as tf

from records.text.vocabulary import END_ID, PAD_ID, START_ID
from tfcap.config.experiment import DecodingConfig
from tfcap.decoding.constraints import Required
from tfcap.decoding.logits_processors import Rules
from tfcap.decoding.output import NEVER, Captions, any_batch, repeat, set_column
from tfcap.models.base import Captioner, Context, State


def beam_search(
    model: Captioner,
    context: Context,
    config: DecodingConfig,
    rules: Rules,
    required: Required,
) -> Captions:
    """Keeps the `beam_width` likeliest open captions, and as many ended ones.

    At each step every open caption is also ended, and takes its place among the ended
    if its score earns it; so a long caption cannot push a short one out. The search
    stops when no open caption can overtake any ended one.

    Where words are required there are so many open captions for each state of their
    automaton, and only those in its last state are ended.

    Source of the two sets: Wu et al., "Google's Neural Machine Translation System",
    2016, section 7; the exponent as in Bahdanau's `score / length ** exponent`.
    """
    width, length = config.beam_width, config.max_length
    lanes = width * required.states
    photos = context.rows
    beams = repeat(context, lanes)
    blank = tf.fill([photos, lanes, length], PAD_ID)
    go_on = GoOn(required, width)

    def normalized(total, t):
        return total / tf.cast(t, tf.float32) ** config.length_exponent

    def unfinished(t, open_, open_total, state, ended, ended_score, ended_total):
        # Totals only fall, and the longest caption divides by most.
        best = normalized(tf.reduce_max(open_total, 1), length - 1)
        return (t < length) & tf.reduce_any(best > ended_score[:, -1])

    def step(t, open_, open_total, state, ended, ended_score, ended_total):
        tokens = tf.reshape(open_, [-1, length])
        logits, state = model.step(beams, state, tokens[:, t - 1])
        before = open_total - tf.reshape(tf.reduce_logsumexp(logits, 1), [-1, lanes])
        logits = tf.reshape(rules.bar(logits, tokens, t), [photos, lanes, -1])

        # End every open caption, and keep the best of these and those ended before.
        end_total = (before + logits[:, :, END_ID])[:, -width:]
        candidates = tf.concat([ended, set_column(open_, t, END_ID)[:, -width:]], 1)
        totals = tf.concat([ended_total, end_total], 1)
        scores = tf.concat([ended_score, normalized(end_total, t)], 1)
        ended_score, chosen = tf.math.top_k(scores, width)
        ended = tf.gather(candidates, chosen, batch_dims=1)
        ended_total = tf.gather(totals, chosen, batch_dims=1)

        # Go on with the likeliest of all continuations.
        open_total, parent, token = go_on(before, logits)
        open_ = set_column(tf.gather(open_, parent, batch_dims=1), t, token)
        state = take_lanes(state, parent)
        return t + 1, open_, open_total, state, ended, ended_score, ended_total

    never = tf.fill([photos, lanes], NEVER)
    loop = [
        tf.constant(1),
        set_column(blank, 0, tf.fill([photos, lanes], START_ID)),
        # All lanes begin alike: only the first may be continued.
        set_column(never, 0, tf.zeros([photos])),
        model.initial_state(beams, length - 1),
        blank[:, :width],
        # Below the score of any caption that has a barred token in it.
        never[:, :width] * 1e9,
        never[:, :width] * 1e9,
    ]
    *_, ended, score, total = tf.while_loop(
        unfinished, step, loop, shape_invariants=any_batch(loop)
    )
    return Captions(ended, score, total)


class GoOn:
    """Picks the likeliest continuations, `width` for each state of the automaton.

    The largest logits of each lane are picked first, and only these compared between
    lanes: log-probabilities of the whole vocabulary are never made.
    """

    def __init__(self, required: Required, width: int):
        self.width = width
        # By the state gone to: [states, 1, vocabulary].
        self.entering = [
            required.entering(state)[:, np.newaxis] for state in range(required.states)
        ]

    def __call__(
        self, before: tf.Tensor, logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Total, parent lane and token of each lane, [photos, lanes].

        Args:
            before: what a token's logit is added to, float32 [photos, lanes].
            logits: float32 [photos, lanes, vocabulary].
        """
        states, vocabulary = len(self.entering), self.entering[0].shape[-1]
        logits = tf.reshape(logits, [-1, states, self.width, vocabulary])
        picked = [self.pick(before, logits + entering) for entering in self.entering]
        return tuple(tf.concat(parts, 1) for parts in zip(*picked))

    def pick(self, before: tf.Tensor, logits: tf.Tensor):
        most = min(self.width, logits.shape[-1])
        values, tokens = tf.math.top_k(logits, most)
        lanes = before.shape[1]
        values = tf.reshape(values, [-1, lanes, most]) + before[:, :, tf.newaxis]
        total, chosen = tf.math.top_k(
            tf.reshape(values, [-1, lanes * most]), self.width
        )
        tokens = tf.reshape(tokens, [-1, lanes * most])
        return total, chosen // most, tf.gather(tokens, chosen, batch_dims=1)


def take_lanes(state: State, parent: tf.Tensor) -> State:
    """Reorders a state of [photos * lanes, ...] by `parent` int32 [photos, lanes]."""
    photos, lanes = tf.unstack(tf.shape(parent))
    rows = tf.reshape(tf.range(photos)[:, tf.newaxis] * lanes + parent, [-1])
    return tf.nest.map_structure(lambda part: tf.gather(part, rows), state)
