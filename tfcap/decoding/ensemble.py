"""An ensemble: several models whose probabilities are averaged."""

from collections.abc import Sequence
from itertools import zip_longest

import tensorflow as tf

from records.errors import UserError
from records.text.vocabulary import Vocabulary
from tfcap.models.base import CaptioningModel, Context, State


class Ensemble(tf.Module):
    """Several models that write captions by the mean of their probabilities.

    It has the methods of a model that searches and exports call.

    Args:
        members: Models of the same vocabulary (`check_same_vocabulary`).
    """

    def __init__(self, members: Sequence[CaptioningModel]):
        super().__init__()
        self.members = tuple(members)

    def encode(self, features: tf.Tensor | Sequence[tf.Tensor]) -> Context:
        """Encodes features that all members share, or a list of each member's own."""
        if tf.is_tensor(features):
            features = [features] * len(self.members)
        return Context.of_photos(
            [m.encode(own).parts for m, own in zip(self.members, features, strict=True)]
        )

    def initial_state(self, context: Context, length: int) -> State:
        return [
            member.initial_state(own, length)
            for member, own in zip(self.members, shares(context))
        ]

    def step(
        self, context: Context, state: State, token: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        """Steps all members; logits are the logarithm of the mean probability."""
        steps = [
            member.step(own, before, token)
            for member, own, before in zip(self.members, shares(context), state)
        ]
        return mean([logits for logits, _ in steps]), [after for _, after in steps]

    def predict_tokens(self, context: Context, tokens: tf.Tensor) -> tf.Tensor:
        """Returns the logits of all positions, as `step` computes them."""
        each = zip(self.members, shares(context))
        return mean([member.predict_tokens(own, tokens) for member, own in each])

    def attention(self, context: Context, tokens: tf.Tensor) -> tf.Tensor | None:
        """Returns the mean attention weights of the members that have any, or None."""
        each = zip(self.members, shares(context))
        weights = [member.attention(own, tokens) for member, own in each]
        weights = [part for part in weights if part is not None]
        return tf.add_n(weights) / len(weights) if weights else None


def mean(logits: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the logarithm of the mean probability, [..., vocabulary]."""
    logs = tf.stack([tf.nn.log_softmax(own) for own in logits])
    return tf.reduce_logsumexp(logs, 0) - tf.math.log(float(len(logits)))


def shares(context: Context) -> list[Context]:
    """Returns the context of each member."""
    return [context._replace(parts=parts) for parts in context.parts]


def check_same_vocabulary(vocabularies: dict[str, Vocabulary]) -> None:
    """Raises UserError unless all vocabularies are the same.

    Args:
        vocabularies: Work directory of each model -> its vocabulary.
    """
    (first, own), *others = vocabularies.items()
    for path, other in others:
        if own.tokens == other.tokens:
            continue
        tokens = enumerate(zip_longest(own.tokens, other.tokens, fillvalue="none"))
        at, (ours, theirs) = next((i, two) for i, two in tokens if two[0] != two[1])
        raise UserError(
            f"an ensemble needs models of one vocabulary: {first} has {len(own)} "
            f"tokens, {path} has {len(other)}, and token {at} is {ours!r} in the one, "
            f"{theirs!r} in the other. Train them on records built with the same "
            "captions and tokenizer"
        )
