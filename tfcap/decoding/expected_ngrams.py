"""Predicts the n-grams of a photo's references from training captions.

CIDEr-D compares a caption with references, n-gram by n-gram. A new photo has none. A
regression on its features (`kernel_regression.py`) predicts how much of each n-gram its
references would have on average, and how long they would be.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from records.format.caption_reader import CaptionIds
from tfcap.decoding.kernel_regression import Regression
from tfcap.metrics.cider import ORDERS, CiderD, find, length_penalty, pairs, trimmed

AT_ONCE = 4096  # captions whose n-grams are in memory
NO_NGRAM = -1  # keeps tables from being empty


class NgramTable(tf.experimental.ExtensionType):
    """The n-grams of one length in the captions of the training photos.

    Attributes:
        ngrams: Each n-gram once, ascending, int64.
        index: Where the n-gram of each row stands in `ngrams`, ascending, int32 [rows].
        photo: The photo of each row, int32 [rows].
        value: The n-gram's share of its caption's unit vector, divided by the number of
            the photo's captions, float32 [rows].
    """

    ngrams: tf.Tensor
    index: tf.Tensor
    photo: tf.Tensor
    value: tf.Tensor


class ExpectedCaptions(tf.experimental.ExtensionType):
    """Scores captions of a photo against its expected references.

    Attributes:
        regression: Weighs the training photos.
        tables: The n-grams of each of `ORDERS`.
        lengths: Mean length of each training photo's captions, float32 [photos].
    """

    regression: Regression
    tables: tuple[NgramTable, ...]
    lengths: tf.Tensor

    @classmethod
    def of_captions(
        cls, ids: CaptionIds, cider: CiderD, regression: Regression
    ) -> "ExpectedCaptions":
        """Returns a scorer made from the captions of the regression's photos.

        Args:
            ids: The captions, without `<start>`.
            cider: Weighs their n-grams.
            regression: Weighs the photos.
        """
        captions = ids.padded(ORDERS[-1])
        photo = np.repeat(np.arange(len(ids.captions), dtype=np.int32), ids.captions)
        tables = [
            build_ngram_table(captions, photo, ids.captions, cider, n) for n in ORDERS
        ]
        total = np.bincount(photo, pairs(captions).numpy(), len(ids.captions))
        lengths = total / np.maximum(ids.captions, 1)
        return cls(regression, tables, lengths.astype(np.float32))

    def scores(
        self,
        captions: tf.Tensor,
        features: tf.Tensor | Sequence[tf.Tensor],
        cider: CiderD,
    ) -> tf.Tensor:
        """Scores captions of each photo of a batch, float32 [photos, n].

        Args:
            captions: int32 [photos, n, length], without `<start>`.
            features: Features of the photos, as `Regression.weights` takes them.
            cider: The scorer that weighed the n-grams of the training photos.
        """
        return tf.map_fn(
            lambda photo: self.score(photo[0], photo[1], cider),
            (captions, self.regression.weights(features)),
            fn_output_signature=tf.TensorSpec([None], tf.float32),
        )

    def score(
        self, captions: tf.Tensor, weights: tf.Tensor, cider: CiderD
    ) -> tf.Tensor:
        """Returns the expected CIDEr-D of captions of one photo, float32 [n].

        Scores are on the scale of 0.5, not 50. Counts are not clipped to the counts of
        the reference, unlike in CIDEr-D. Length is compared with its expectation.

        Args:
            captions: int32 [n, length], without `<start>`.
            weights: Weights of the training photos, float32 [photos].
            cider: As in `scores`.
        """
        captions = trimmed(captions)
        similarities = [
            similarity(captions, weights, self.tables[n - 1], cider, n) for n in ORDERS
        ]
        length = tf.reduce_sum(weights * self.lengths)
        penalty = length_penalty(captions, length)
        return 10 * penalty * tf.add_n(similarities) / len(ORDERS)


def similarity(
    captions: tf.Tensor, weights: tf.Tensor, table: NgramTable, cider: CiderD, n: int
) -> tf.Tensor:
    """Returns the cosine with the weighed mean of the training captions, [captions]."""
    shares = table.value * tf.gather(weights, table.photo)
    expected = tf.math.unsorted_segment_sum(shares, table.index, table.ngrams.shape[0])
    vectors = cider.vectors(captions, n)
    index, is_known = find(table.ngrams, vectors.ngrams)
    expected_weights = tf.where(is_known, tf.gather(expected, index), 0.0)
    products = tf.reduce_sum(vectors.weights * expected_weights, -1)
    return tf.math.divide_no_nan(products, vectors.norm)


def build_ngram_table(
    captions: np.ndarray,
    photo: np.ndarray,
    captions_per_photo: np.ndarray,
    cider: CiderD,
    n: int,
) -> NgramTable:
    """Builds the table of the n-grams of captions.

    Args:
        captions: int32 [captions, length].
        photo: The photo of each caption, int32 [captions].
        captions_per_photo: int [photos].
        cider: Weighs the n-grams.
        n: Their length.
    """
    parts = []
    for start in range(0, len(captions), AT_ONCE):
        batch = slice(start, start + AT_ONCE)
        vectors = cider.vectors(tf.constant(captions[batch]), n)
        unit = tf.math.divide_no_nan(vectors.weights, vectors.norm[:, tf.newaxis])
        unit = unit.numpy()
        caption, position = np.nonzero(unit)
        row_photo = photo[batch][caption]
        row_ngram = vectors.ngrams.numpy()[caption, position]
        row_value = unit[caption, position] / captions_per_photo[row_photo]
        parts.append((row_ngram, row_photo, row_value))
    row_ngram, row_photo, row_value = map(np.concatenate, zip(*parts))
    ngrams, index = np.unique(np.append(row_ngram, NO_NGRAM), return_inverse=True)
    index = index[:-1].astype(np.int32)
    order = np.argsort(index, kind="stable")
    return NgramTable(
        ngrams, index[order], row_photo[order], row_value[order].astype(np.float32)
    )
