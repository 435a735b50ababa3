"""Captions as a search returns them, and their text."""

from typing import NamedTuple

import tensorflow as tf

from records.text.tokenizer import Tokenizer
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import PAD_ID, Vocabulary
from tfcap.models.base import Context

# Far below the log-probability of any caption, and far above float32's overflow.
MASKED_LOGIT = -1e9


class Captions(NamedTuple):
    """Captions of a batch of photos, best first.

    >>> import tensorflow as tf
    >>> from tfcap.decoding.output import Captions
    >>> tokens = tf.constant([[[1, 4, 5, 2], [1, 4, 2, 0]]])  # one photo, two captions
    >>> score, log_probability = tf.constant([[0.5, 0.75]]), tf.constant([[-3.0, -1.0]])
    >>> captions = Captions(tokens, score, log_probability)
    >>> captions.mean_log_probability().numpy().tolist()
    [[-1.0, -0.5]]
    >>> captions.best(1).tokens.numpy().tolist()
    [[[1, 4, 2, 0]]]

    Attributes:
        tokens: `<start>` first, padded with 0, int32 [photos, n, length].
        score: The score that ranks them, float32 [photos, n].
        log_probability: float32 [photos, n].
    """

    tokens: tf.Tensor
    score: tf.Tensor
    log_probability: tf.Tensor

    def mean_log_probability(self) -> tf.Tensor:
        """Returns the mean over tokens after `<start>`, float32 [photos, n]."""
        real = tf.reduce_sum(tf.cast(self.tokens != PAD_ID, tf.float32), -1)
        return self.log_probability / tf.maximum(real - 1, 1)

    def best(self, count: int) -> "Captions":
        """Returns the `count` captions of each photo with the highest scores."""
        score, index = tf.math.top_k(self.score, count)
        tokens = tf.gather(self.tokens, index, batch_dims=1)
        return Captions(
            tokens, score, tf.gather(self.log_probability, index, batch_dims=1)
        )

    def allowed(self) -> tf.Tensor:
        """Returns whether a caption holds no masked token, bool [photos, n].

        A beam that is wider than the number of such captions also returns others.
        """
        return self.log_probability > MASKED_LOGIT / 2


def repeat(context: Context, times: int) -> Context:
    """Repeats each row `times` times, in succession."""
    return context.select_rows(tf.repeat(tf.range(context.rows), times))


def any_batch(loop: list) -> list:
    """Returns shape invariants of loop variables, with an unknown batch size.

    `tf.gather` returns an unknown batch size too.
    """
    return tf.nest.map_structure(
        lambda value: tf.TensorShape([None, *value.shape[1:]][: value.shape.rank]), loop
    )


def set_column(
    values: tf.Tensor, index: tf.Tensor | int, column: tf.Tensor | int
) -> tf.Tensor:
    """Replaces `values[..., index]` by `column`."""
    is_column = tf.range(tf.shape(values)[-1]) == index
    return tf.where(
        is_column, tf.expand_dims(tf.cast(column, values.dtype), -1), values
    )


def detokenize(
    tokens: tf.Tensor, vocabulary: Vocabulary, settings: TokenizerSettings
) -> tf.Tensor:
    """Returns the text of captions, string [...], with core operations.

    >>> import tensorflow as tf
    >>> from records import RecordSet
    >>> from tfcap.decoding.output import detokenize
    >>> records = RecordSet.open("data/records")
    >>> tokens = tf.constant([[1, *records.vocabulary.encode(["a", "dog"])[1:], 0]])
    >>> detokenize(tokens, records.vocabulary, records.manifest.tokenizer).numpy()
    array([b'a dog'], dtype=object)

    Args:
        tokens: int32 [..., length].
        vocabulary: The model's vocabulary.
        settings: Settings of its tokenizer, which say how tokens are joined.
    """
    texts = [text.encode() for text in Tokenizer(settings).texts(vocabulary)]
    joined = tf.strings.reduce_join(tf.gather(tf.constant(texts), tokens), axis=-1)
    # A model that writes characters may write several spaces.
    return tf.strings.strip(tf.strings.regex_replace(joined, " +", " "))
