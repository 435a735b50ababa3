"""What a search gives, and the text of it."""

from typing import NamedTuple

import tensorflow as tf

from records.text.tokenizer import Tokenizer
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import PAD_ID, Vocabulary
from tfcap.models.base import Context, take

# Far below any caption's log-probability, far above float32's overflow.
MASKED_LOGIT = -1e9


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
        return self.log_probability / tf.maximum(real - 1, 1)

    def allowed(self) -> tf.Tensor:
        """Whether a caption keeps to all rules, bool [photos, n].

        A beam wider than there are such captions ends in others.
        """
        return self.log_probability > MASKED_LOGIT / 2


def repeat(context: Context, times: int) -> Context:
    """Each row `times` over, one after the other."""
    return take(context, tf.repeat(tf.range(context.rows), times))


def any_batch(loop: list) -> list:
    """Shapes of a loop's values with the batch left open, as `tf.gather` leaves it."""
    return tf.nest.map_structure(
        lambda value: tf.TensorShape([None, *value.shape[1:]][: value.shape.rank]), loop
    )


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
