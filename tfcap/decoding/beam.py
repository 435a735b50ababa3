"""Beam search."""

import numpy as np
import tensorflow as tf

from records.text.vocabulary import END_ID, PAD_ID, START_ID
from tfcap.config.experiment import DecodingConfig
from tfcap.decoding.constraints import ConstraintAutomaton
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.output import MASKED_LOGIT, Captions, any_batch, repeat, set_column
from tfcap.models.base import CaptioningModel, Context, State


def beam_search(
    model: CaptioningModel,
    context: Context,
    config: DecodingConfig,
    rules: LogitsProcessor,
    constraints: ConstraintAutomaton,
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
    hypotheses = width * constraints.states
    photos = context.rows
    beams = repeat(context, hypotheses)
    blank = tf.fill([photos, hypotheses, length], PAD_ID)
    select_continuations = ContinuationSelector(constraints, width)

    def normalized(total, t):
        return total / tf.cast(t, tf.float32) ** config.length_exponent

    def unfinished(
        t, live, live_total, state, finished, finished_score, finished_total
    ):
        # Totals only fall, and the longest caption divides by most.
        best = normalized(tf.reduce_max(live_total, 1), length - 1)
        return (t < length) & tf.reduce_any(best > finished_score[:, -1])

    def step(t, live, live_total, state, finished, finished_score, finished_total):
        tokens = tf.reshape(live, [-1, length])
        logits, state = model.step(beams, state, tokens[:, t - 1])
        before = live_total - tf.reshape(
            tf.reduce_logsumexp(logits, 1), [-1, hypotheses]
        )
        logits = tf.reshape(rules.apply(logits, tokens, t), [photos, hypotheses, -1])

        # End every open caption, and keep the best of these and those ended before.
        end_total = (before + logits[:, :, END_ID])[:, -width:]
        candidates = tf.concat([finished, set_column(live, t, END_ID)[:, -width:]], 1)
        totals = tf.concat([finished_total, end_total], 1)
        scores = tf.concat([finished_score, normalized(end_total, t)], 1)
        finished_score, chosen = tf.math.top_k(scores, width)
        finished = tf.gather(candidates, chosen, batch_dims=1)
        finished_total = tf.gather(totals, chosen, batch_dims=1)

        # Go on with the likeliest of all continuations.
        live_total, parent, token = select_continuations(before, logits)
        live = set_column(tf.gather(live, parent, batch_dims=1), t, token)
        state = select_hypotheses(state, parent)
        return t + 1, live, live_total, state, finished, finished_score, finished_total

    never = tf.fill([photos, hypotheses], MASKED_LOGIT)
    loop = [
        tf.constant(1),
        set_column(blank, 0, tf.fill([photos, hypotheses], START_ID)),
        # All lanes begin alike: only the first may be continued.
        set_column(never, 0, tf.zeros([photos])),
        model.initial_state(beams, length - 1),
        blank[:, :width],
        # Below the score of any caption that has a barred token in it.
        never[:, :width] * 1e9,
        never[:, :width] * 1e9,
    ]
    *_, finished, score, total = tf.while_loop(
        unfinished, step, loop, shape_invariants=any_batch(loop)
    )
    return Captions(finished, score, total)


class ContinuationSelector:
    """Picks the likeliest continuations, `width` for each state of the automaton.

    The largest logits of each lane are picked first, and only these compared between
    lanes: log-probabilities of the whole vocabulary are never made.
    """

    def __init__(self, constraints: ConstraintAutomaton, width: int):
        self.width = width
        # By the state gone to: [states, 1, vocabulary].
        self.mask_for_state = [
            constraints.mask_for_state(state)[:, np.newaxis]
            for state in range(constraints.states)
        ]

    def __call__(
        self, before: tf.Tensor, logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Total, parent lane and token of each lane, [photos, lanes].

        Args:
            before: what a token's logit is added to, float32 [photos, lanes].
            logits: float32 [photos, lanes, vocabulary].
        """
        states, vocabulary = len(self.mask_for_state), self.mask_for_state[0].shape[-1]
        logits = tf.reshape(logits, [-1, states, self.width, vocabulary])
        picked = [
            self.pick(before, logits + mask_for_state)
            for mask_for_state in self.mask_for_state
        ]
        return tuple(tf.concat(parts, 1) for parts in zip(*picked))

    def pick(self, before: tf.Tensor, logits: tf.Tensor):
        most = min(self.width, logits.shape[-1])
        values, tokens = tf.math.top_k(logits, most)
        hypotheses = before.shape[1]
        values = tf.reshape(values, [-1, hypotheses, most]) + before[:, :, tf.newaxis]
        total, chosen = tf.math.top_k(
            tf.reshape(values, [-1, hypotheses * most]), self.width
        )
        tokens = tf.reshape(tokens, [-1, hypotheses * most])
        return total, chosen // most, tf.gather(tokens, chosen, batch_dims=1)


def select_hypotheses(state: State, parent: tf.Tensor) -> State:
    """Reorders a state of [photos * lanes, ...] by `parent` int32 [photos, lanes]."""
    photos, hypotheses = tf.unstack(tf.shape(parent))
    rows = tf.reshape(tf.range(photos)[:, tf.newaxis] * hypotheses + parent, [-1])
    return tf.nest.map_structure(lambda part: tf.gather(part, rows), state)
