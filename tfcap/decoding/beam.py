"""Beam search, also with required words (constrained beam search)."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.text.vocabulary import END_ID, PAD_ID, START_ID
from tfcap.config.decoding import ResolvedDecoding
from tfcap.decoding.constraints import ConstraintAutomaton
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.output import MASKED_LOGIT, Captions, any_batch, repeat, set_column
from tfcap.models.base import CaptioningModel, Context, State

# Below the score of any caption that holds a masked token.
WORST_SCORE = MASKED_LOGIT * 1e9


def beam_search(
    model: CaptioningModel,
    context: Context,
    config: ResolvedDecoding,
    processor: LogitsProcessor,
    constraints: ConstraintAutomaton,
) -> Captions:
    """Keeps the `beam_width` likeliest live hypotheses, and as many finished ones.

    At each step every live hypothesis is also ended, and becomes a finished one if its
    score is high enough. A long caption therefore cannot displace a short one. The
    search stops when no live hypothesis can overtake a finished one.

    With required words there are `beam_width` live hypotheses for each state of the
    automaton, and only those in its last state are ended.

    Source of the two sets: Wu et al., "Google's Neural Machine Translation System",
    2016, section 7; the exponent as in Bahdanau's `score / length ** exponent`.
    """
    search = BeamSearch(model, context, config, processor, constraints)
    start = search.start()
    (end,) = tf.while_loop(
        search.can_improve,
        lambda beam: [search.advance(beam)],
        [start],
        shape_invariants=any_batch([start]),
    )
    return end.finished


class BeamState(NamedTuple):
    """The hypotheses before a step.

    Attributes:
        t: Position of the next token, int32 [].
        live: Hypotheses to continue, int32 [photos, hypotheses, length].
        live_total: Their log-probabilities, float32 [photos, hypotheses].
        decoder: The model's state after them, [photos * hypotheses, ...].
        finished: The `beam_width` best captions so far.
    """

    t: tf.Tensor
    live: tf.Tensor
    live_total: tf.Tensor
    decoder: State
    finished: Captions


class BeamSearch:
    """The steps of a beam search over one batch of photos."""

    def __init__(
        self,
        model: CaptioningModel,
        context: Context,
        config: ResolvedDecoding,
        processor: LogitsProcessor,
        constraints: ConstraintAutomaton,
    ):
        self.model, self.processor = model, processor
        self.width, self.length = config.beam_width, config.max_length
        self.length_exponent = config.length_exponent
        self.photos = context.rows
        self.hypotheses = self.width * constraints.states
        self.context = repeat(context, self.hypotheses)
        self.select_continuations = ContinuationSelector(constraints, self.width)

    def start(self) -> BeamState:
        """Returns the state with `<start>` as the only live hypothesis."""
        shape = [self.photos, self.hypotheses]
        blank = tf.fill([*shape, self.length], PAD_ID)
        masked = tf.fill(shape, MASKED_LOGIT)
        worst = tf.fill([self.photos, self.width], WORST_SCORE)
        return BeamState(
            t=tf.constant(1),
            live=set_column(blank, 0, tf.fill(shape, START_ID)),
            # All hypotheses are equal here, so only the first may be continued.
            live_total=set_column(masked, 0, tf.zeros([self.photos])),
            decoder=self.model.initial_state(self.context, self.length - 1),
            finished=Captions(blank[:, : self.width], worst, worst),
        )

    def can_improve(self, beam: BeamState) -> tf.Tensor:
        """Returns whether a live hypothesis can still overtake a finished one."""
        # Totals only fall, and the longest caption divides by most.
        best = self.score(tf.reduce_max(beam.live_total, 1), self.length - 1)
        overtakes = tf.reduce_any(best > beam.finished.score[:, -1])
        return (beam.t < self.length) & overtakes

    def advance(self, beam: BeamState) -> BeamState:
        """Ends every live hypothesis, and continues the likeliest by one token."""
        tokens = tf.reshape(beam.live, [-1, self.length])
        logits, decoder = self.model.step(
            self.context, beam.decoder, tokens[:, beam.t - 1]
        )
        log_normalizer = tf.reduce_logsumexp(logits, 1)
        # A token's log-probability is its logit less the normalizer.
        base = beam.live_total - tf.reshape(log_normalizer, [-1, self.hypotheses])
        logits = self.processor.apply(logits, tokens, beam.t)
        logits = tf.reshape(logits, [self.photos, self.hypotheses, -1])
        beam = self.finish(beam, base + logits[:, :, END_ID])
        total, parent, token = self.select_continuations(base, logits)
        live = tf.gather(beam.live, parent, batch_dims=1)
        return beam._replace(
            t=beam.t + 1,
            live=set_column(live, beam.t, token),
            live_total=total,
            decoder=select_hypotheses(decoder, parent),
        )

    def finish(self, beam: BeamState, end_total: tf.Tensor) -> BeamState:
        """Ends the live hypotheses; keeps the best of these and the finished ones.

        Args:
            beam: The state before the step.
            end_total: Log-probabilities with `<end>`, float32 [photos, hypotheses].
        """
        # Only hypotheses in the automaton's last state hold all required words.
        total = end_total[:, -self.width :]
        tokens = set_column(beam.live, beam.t, END_ID)[:, -self.width :]
        ended = Captions(tokens, self.score(total, beam.t), total)
        both = Captions(*(tf.concat(pair, 1) for pair in zip(beam.finished, ended)))
        return beam._replace(finished=both.best(self.width))

    def score(self, total: tf.Tensor, length: tf.Tensor | int) -> tf.Tensor:
        """Returns log-probabilities normalized by the length of the caption."""
        return total / tf.cast(length, tf.float32) ** self.length_exponent


class ContinuationSelector:
    """Picks the likeliest continuations, `width` for each state of the automaton.

    The largest logits of each hypothesis are picked first, and only these are compared
    across hypotheses. Log-probabilities of the whole vocabulary are never computed.
    """

    def __init__(self, constraints: ConstraintAutomaton, width: int):
        self.width = width
        # One mask per state entered: [states, 1, vocabulary].
        self.masks = [
            constraints.mask_for_state(state)[:, np.newaxis]
            for state in range(constraints.states)
        ]

    def __call__(
        self, base: tf.Tensor, logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns total, parent hypothesis and token, each [photos, hypotheses].

        Args:
            base: A token's total is its logit plus this, float32 [photos, hypotheses].
            logits: float32 [photos, hypotheses, vocabulary].
        """
        states, vocabulary = len(self.masks), self.masks[0].shape[-1]
        logits = tf.reshape(logits, [-1, states, self.width, vocabulary])
        picked = [self.pick(base, logits + mask) for mask in self.masks]
        return tuple(tf.concat(parts, 1) for parts in zip(*picked))

    def pick(
        self, base: tf.Tensor, logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns total, parent and token of `width` continuations, [photos, width]."""
        per_hypothesis = min(self.width, logits.shape[-1])
        values, tokens = tf.math.top_k(logits, per_hypothesis)
        hypotheses = base.shape[1]
        flat = [-1, hypotheses * per_hypothesis]
        values = tf.reshape(values, [-1, hypotheses, per_hypothesis])
        totals = tf.reshape(values + base[:, :, tf.newaxis], flat)
        total, best = tf.math.top_k(totals, self.width)
        token = tf.gather(tf.reshape(tokens, flat), best, batch_dims=1)
        return total, best // per_hypothesis, token


def select_hypotheses(state: State, parent: tf.Tensor) -> State:
    """Reorders a state [photos * hypotheses, ...] by `parent`, [photos, hypotheses]."""
    photos, hypotheses = tf.unstack(tf.shape(parent))
    rows = tf.reshape(tf.range(photos)[:, tf.newaxis] * hypotheses + parent, [-1])
    return tf.nest.map_structure(lambda part: tf.gather(part, rows), state)
