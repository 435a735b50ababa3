"""CIDEr-D of token ids, in graph. It is the reward of self-critical training.

Source: Vedantam, Zitnick and Parikh, "CIDEr: Consensus-based Image Description
Evaluation", CVPR 2015. It sums as coco-caption's `CiderScorer`, which calls CIDEr-D
`CIDEr`.

Captions are a few tokens long, so every n-gram of one is compared with every n-gram of
the other, for a whole batch at once, without dictionaries or Python in the step.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.format.caption_reader import CaptionIds, read_parts
from records.format.record_set import RecordSet
from records.text.vocabulary import PAD_ID
from tfcap.metrics.ngrams import number, shared_ngrams

ORDERS = (1, 2, 3, 4)
SIGMA = 6.0  # of the penalty on another length than the reference's


class CiderD(tf.experimental.ExtensionType):
    """Scores captions of photos against their references.

    Captions are token ids without `<start>`, `<end>` included, padded with 0. `<end>`
    counts as a word; otherwise captions learn to stop after "a man in a" (Luo, "A
    Better Variant of Self-Critical Sequence Training", 2020).

    Attributes:
        vocabulary: Number of tokens.
        log_photos: Logarithm of the number of photos. It is also the rarity of n-grams
            of one photo or none, which no table holds.
        known: The n-grams of several photos for each of `ORDERS`, ascending, int64.
        rarity: Their rarities: the logarithm of (all photos / photos with the n-gram),
            float32.
    """

    vocabulary: int
    log_photos: float
    known: tuple[tf.Tensor, ...]
    rarity: tuple[tf.Tensor, ...]

    @classmethod
    def of_captions(cls, ids: CaptionIds, vocabulary: int) -> "CiderD":
        """Returns a scorer that weighs n-grams by how rare they are in captions.

        Args:
            ids: The captions, without `<start>`.
            vocabulary: Number of tokens.
        """
        log_photos = float(np.log(len(ids.captions)))
        tables = [rarities(ids, n, vocabulary, log_photos) for n in ORDERS]
        return cls(vocabulary, log_photos, *zip(*tables))

    @classmethod
    def of_split(cls, records: RecordSet, split: str) -> "CiderD":
        """Returns a scorer that weighs n-grams by their rarity in a split."""
        return cls.of_captions(
            read_reference_ids(records, split), len(records.vocabulary)
        )

    def score(
        self, captions: tf.Tensor, references: tf.Tensor, photo: tf.Tensor
    ) -> tf.Tensor:
        """Returns the mean over each photo's references, float32 [photos, n].

        Scores are on the scale of 0.5, not 50.

        Args:
            captions: int32 [photos, n, length].
            references: int32 [references, length].
            photo: The photo of each reference, ascending, int32 [references].
        """
        scores = self.compare(captions, references, photo)
        # Not a segment mean: its threads add in an order that varies.
        is_reference = tf.one_hot(photo, tf.shape(captions)[0], axis=0)
        counts = tf.reduce_sum(is_reference, 1, keepdims=True)
        return tf.math.divide_no_nan(tf.matmul(is_reference, scores), counts)

    def compare(
        self, captions: tf.Tensor, references: tf.Tensor, photo: tf.Tensor
    ) -> tf.Tensor:
        """Scores captions against each reference of their photo.

        Args:
            captions: int32 [photos, n, length].
            references: int32 [references, length].
            photo: The photo of each reference, int32 [references].

        Returns:
            float32 [references, n].
        """
        similarities = [
            similarity(
                self.vectors(captions, n).of_photos(photo), self.vectors(references, n)
            )
            for n in ORDERS
        ]
        lengths = pairs(references)[:, tf.newaxis]
        penalty = length_penalty(tf.gather(captions, photo), lengths)
        return 10 * penalty * tf.add_n(similarities) / len(ORDERS)

    def vectors(self, captions: tf.Tensor, n: int) -> "NgramVectors":
        """Returns the weighed n-grams of captions [..., length]."""
        ngrams = number(captions, n, self.vocabulary)
        is_real = captions[..., n - 1 :] != PAD_ID
        weights = tf.where(is_real, self.weigh(ngrams, n), 0.0)
        counts = count_equal(ngrams, ngrams, is_real)
        norm = tf.sqrt(tf.reduce_sum(counts * weights**2, -1))
        return NgramVectors(ngrams, weights, counts, norm)

    def weigh(self, ngrams: tf.Tensor, n: int) -> tf.Tensor:
        """Returns the logarithm of (all photos / photos with the n-gram)."""
        # On the CPU, where the tables are: no GPU needs a copy of them.
        with tf.device("CPU:0"):
            index, is_known = find(self.known[n - 1], ngrams)
            rarity = tf.gather(self.rarity[n - 1], index)
            return tf.where(is_known, rarity, self.log_photos)


class NgramVectors(NamedTuple):
    """The n-grams of captions [...] by position, [..., positions].

    An n-gram that occurs k times in a caption stands at k positions.

    Attributes:
        ngrams: Their numbers, int64.
        weights: Their rarities, 0 at padding, float32.
        counts: How often each occurs in its caption, float32.
        norm: The norm of the caption's vector of n-grams, float32 [...].
    """

    ngrams: tf.Tensor
    weights: tf.Tensor
    counts: tf.Tensor
    norm: tf.Tensor

    def of_photos(self, photo: tf.Tensor) -> "NgramVectors":
        """Returns the vectors of the photos with these indices, int32 [n]."""
        return NgramVectors(*(tf.gather(part, photo) for part in self))

    def expand(self) -> "NgramVectors":
        """Returns [n, 1, ...] for [n, ...]."""
        return NgramVectors(*(part[:, tf.newaxis] for part in self))


def find(known: tf.Tensor, ngrams: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Looks n-grams up in an ascending table.

    Returns:
        Their indices, int32, and whether the n-gram there is the same, bool.
    """
    flat = tf.reshape(ngrams, [-1])
    index = tf.minimum(tf.searchsorted(known, flat), known.shape[0] - 1)
    is_known = tf.gather(known, index) == flat
    shape = tf.shape(ngrams)
    return tf.reshape(index, shape), tf.reshape(is_known, shape)


def read_reference_ids(records: RecordSet, split: str) -> CaptionIds:
    """Reads the token ids of a split's captions, without `<start>`."""
    parts = read_parts(records, split)
    return CaptionIds.joined(part.without_first() for part in parts)


def similarity(captions: NgramVectors, references: NgramVectors) -> tf.Tensor:
    """Returns the cosine, with counts clipped to those in the reference.

    Args:
        captions: Vectors of captions [references, n].
        references: Vectors of references [references].

    Returns:
        float32 [references, n].
    """
    references = references.expand()
    common = count_equal(captions.ngrams, references.ngrams, references.weights > 0)
    counts, weights = captions.counts, captions.weights
    clipped = tf.minimum(counts, common)
    # An n-gram stands at `counts` positions: each adds its share.
    shares = tf.math.divide_no_nan(clipped * common * weights**2, counts)
    norms = captions.norm * references.norm
    return tf.math.divide_no_nan(tf.reduce_sum(shares, -1), norms)


def count_equal(ngrams: tf.Tensor, others: tf.Tensor, is_real: tf.Tensor) -> tf.Tensor:
    """Counts the real n-grams of `others` that equal each of `ngrams`, float32."""
    same = ngrams[..., :, tf.newaxis] == others[..., tf.newaxis, :]
    return tf.reduce_sum(tf.cast(same & is_real[..., tf.newaxis, :], tf.float32), -1)


def length_penalty(captions: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Returns a factor that is below 1 for captions of other lengths than references.

    Args:
        captions: int32 [..., length].
        lengths: Lengths of the references, as `pairs` counts them, float32.
    """
    return tf.exp(-((pairs(captions) - lengths) ** 2) / (2 * SIGMA**2))


def pairs(captions: tf.Tensor) -> tf.Tensor:
    """Returns coco-caption's length: the number of pairs of words, float32 [...]."""
    words = tf.reduce_sum(tf.cast(captions != PAD_ID, tf.float32), -1)
    return tf.maximum(words - 1, 0)


def rarities(
    ids: CaptionIds, n: int, vocabulary: int, log_photos: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the n-grams of several photos, ascending, and their rarities."""
    known, photos = shared_ngrams(ids, n, vocabulary)
    if not len(known):
        known, photos = np.array([-1]), np.array([1])
    rarity = (log_photos - np.log(photos)).astype(np.float32)
    with tf.device("CPU:0"):
        return tf.constant(known), tf.constant(rarity)


def trimmed(captions: tf.Tensor) -> tf.Tensor:
    """Cuts the padding of captions [n, length] to what 4-grams need.

    Every position is compared with every other, so that padding costs time.
    """
    longest = tf.reduce_max(tf.math.count_nonzero(captions, 1, dtype=tf.int32))
    return tf.pad(captions[:, :longest], [[0, 0], [0, ORDERS[-1] - 1]])
