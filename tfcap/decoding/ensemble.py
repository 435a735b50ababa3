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
        pairs = zip(self.members, features, strict=True)
        return Context.of_photos([member.encode(part).memory for member, part in pairs])

    def initial_state(self, context: Context, length: int) -> State:
        return [
            member.initial_state(part, length)
            for member, part in zip(self.members, split(context))
        ]

    def step(
        self, context: Context, state: State, token: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        """Steps all members; logits are the logarithm of the mean probability."""
        steps = [
            member.step(part, before, token)
            for member, part, before in zip(self.members, split(context), state)
        ]
        return mean([logits for logits, _ in steps]), [after for _, after in steps]

    def predict_tokens(self, context: Context, tokens: tf.Tensor) -> tf.Tensor:
        """Returns the logits of all positions, as `step` computes them."""
        pairs = zip(self.members, split(context))
        return mean([member.predict_tokens(part, tokens) for member, part in pairs])

    def attention(self, context: Context, tokens: tf.Tensor) -> tf.Tensor | None:
        """Returns the mean attention weights of the members that have any, or None."""
        pairs = zip(self.members, split(context))
        each = [member.attention(part, tokens) for member, part in pairs]
        weights = [values for values in each if values is not None]
        return tf.add_n(weights) / len(weights) if weights else None


def mean(logits: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns the logarithm of the mean probability, [..., vocabulary]."""
    logs = tf.stack([tf.nn.log_softmax(values) for values in logits])
    return tf.reduce_logsumexp(logs, 0) - tf.math.log(float(len(logits)))


def split(context: Context) -> list[Context]:
    """Returns the context of each member."""
    return [context._replace(memory=memory) for memory in context.memory]


def check_same_vocabulary(vocabularies: dict[str, Vocabulary]) -> None:
    """Raises UserError unless all vocabularies are the same.

    Args:
        vocabularies: Work directory of each model -> its vocabulary.
    """
    (first, expected), *others = vocabularies.items()
    for path, other in others:
        if expected.tokens == other.tokens:
            continue
        pairs = zip_longest(expected.tokens, other.tokens, fillvalue="none")
        index, (token, other_token) = next(
            (i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1]
        )
        raise UserError(
            f"an ensemble needs models of one vocabulary: {first} has {len(expected)} "
            f"tokens, {path} has {len(other)}, and token {index} is {token!r} in the "
            f"one, {other_token!r} in the other. Train them on records built with the "
            "same captions and tokenizer"
        )
