"""What people would write of a photo, as n-grams: predicted from training captions.

CIDEr-D compares a caption with references, n-gram by n-gram. Of a new photo there are
none, but a regression on its features (`kernel_regression.py`) predicts how much of
each n-gram they would have, on average over those who write, and how long they would
be.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from records.format.caption_reader import CaptionIds
from tfcap.decoding.kernel_regression import Regression
from tfcap.metrics.cider import ORDERS, CiderD, find, length_penalty, pairs, trimmed

AT_ONCE = 4096  # captions taken apart
NOBODYS = -1  # an n-gram for tables that would have none


class Rows(tf.experimental.ExtensionType):
    """The n-grams of one length in the captions of the training photos, one a row.

    Attributes:
        known: each n-gram once, int64, ascending.
        gram: its place there, int32 [rows], ascending.
        photo: int32 [rows].
        value: what it is of its caption's vector of length 1, divided by the photo's
            captions, float32 [rows].
    """

    known: tf.Tensor
    gram: tf.Tensor
    photo: tf.Tensor
    value: tf.Tensor


class ExpectedCaptions(tf.experimental.ExtensionType):
    """Scores captions of a photo against what people would write of it.

    Attributes:
        regression: weighs the training photos.
        rows: of each of `ORDERS`.
        lengths: of each training photo's captions on average, float32 [photos].
    """

    regression: Regression
    rows: tuple[Rows, ...]
    lengths: tf.Tensor

    @classmethod
    def of_captions(
        cls, ids: CaptionIds, cider: CiderD, regression: Regression
    ) -> "ExpectedCaptions":
        """Of captions, without `<start>`, of the photos that the regression weighs."""
        captions = ids.padded(ORDERS[-1])
        photo = np.repeat(np.arange(len(ids.captions), dtype=np.int32), ids.captions)
        rows = [take_apart(captions, photo, ids.captions, cider, n) for n in ORDERS]
        total = np.bincount(photo, pairs(captions).numpy(), len(ids.captions))
        lengths = total / np.maximum(ids.captions, 1)
        return cls(regression, rows, lengths.astype(np.float32))

    def scores(
        self,
        captions: tf.Tensor,
        features: tf.Tensor | Sequence[tf.Tensor],
        cider: CiderD,
    ) -> tf.Tensor:
        """Of captions of each photo of a batch, float32 [photos, n].

        Args:
            captions: int32 [photos, n, length], without `<start>`.
            features: of the photos, as `Regression.weights` takes them.
            cider: weighs their n-grams, as it has weighed those of the training photos.
        """
        return tf.map_fn(
            lambda photo: self.score(*photo, cider),
            (captions, self.regression.weights(features)),
            fn_output_signature=tf.TensorSpec([None], tf.float32),
        )

    def score(
        self, captions: tf.Tensor, weights: tf.Tensor, cider: CiderD
    ) -> tf.Tensor:
        """CIDEr-D to be expected of captions of one photo, 0.5 and not 50, float32 [n].

        An n-gram that comes twice counts twice, where CIDEr-D cuts it to what is in the
        reference; and the length is compared with the one to be expected.

        Args:
            captions: int32 [n, length], without `<start>`.
            weights: of the training photos, float32 [photos].
        """
        captions = trimmed(captions)
        each = [
            similarity(captions, weights, self.rows[n - 1], cider, n) for n in ORDERS
        ]
        expected = tf.reduce_sum(weights * self.lengths)
        return 10 * length_penalty(captions, expected) * tf.add_n(each) / len(ORDERS)


def similarity(
    captions: tf.Tensor, weights: tf.Tensor, rows: Rows, cider: CiderD, n: int
) -> tf.Tensor:
    """Cosine of n-grams with those of each training caption, weighed, [captions]."""
    shares = rows.value * tf.gather(weights, rows.photo)
    expected = tf.math.unsorted_segment_sum(shares, rows.gram, rows.known.shape[0])
    numbers, weight, _, norm = cider.vector(captions, n)
    at, found = find(rows.known, numbers)
    theirs = tf.where(found, tf.gather(expected, at), 0.0)
    return tf.math.divide_no_nan(tf.reduce_sum(weight * theirs, -1), norm)


def take_apart(
    captions: np.ndarray,
    photo: np.ndarray,
    counts: np.ndarray,
    cider: CiderD,
    n: int,
) -> Rows:
    """The n-grams of captions int32 [captions, length], whose photo is `photo`.

    Args:
        counts: captions of each photo.
    """
    parts = []
    for start in range(0, len(captions), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        numbers, weight, _, norm = cider.vector(tf.constant(captions[some]), n)
        value = tf.math.divide_no_nan(weight, norm[:, tf.newaxis]).numpy()
        caption, place = np.nonzero(value)
        whose = photo[some][caption]
        ngrams = numbers.numpy()[caption, place]
        parts.append((ngrams, whose, value[caption, place] / counts[whose]))
    ngrams, whose, value = map(np.concatenate, zip(*parts))
    known, gram = np.unique(np.append(ngrams, NOBODYS), return_inverse=True)
    gram = gram[:-1].astype(np.int32)
    order = np.argsort(gram, kind="stable")
    return Rows(known, gram[order], whose[order], value[order].astype(np.float32))
