"""CIDEr-D of token ids, in graph: the reward of self-critical training.

Source: Vedantam, Zitnick and Parikh, "CIDEr: Consensus-based Image Description
Evaluation", CVPR 2015; the same sums as coco-caption's `CiderScorer`, which names its
CIDEr-D `CIDEr`.

Captions are a few tokens long, so that every n-gram of one is compared with every one
of the other, for a whole batch at once: no dictionaries, no Python in the step.
"""

from collections.abc import Sequence

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
    counts as a word: else captions learn to break off after "a man in a". Source of
    that: Luo, "A Better Variant of Self-Critical Sequence Training", 2020.

    Its tables are tensors, which every graph that looks something up shares.

    Attributes:
        vocabulary: how many tokens there are.
        log_photos: logarithm of the photos that tell how rare an n-gram is. So rare
            are those of one photo and of none, which no table holds.
        known: of each of `ORDERS`, the n-grams of more photos, int64, ascending.
        rarity: logarithm of photos for one with the n-gram, float32, in that order.
    """

    vocabulary: int
    log_photos: float
    known: tuple[tf.Tensor, ...]
    rarity: tuple[tf.Tensor, ...]

    @classmethod
    def of_captions(cls, ids: CaptionIds, vocabulary: int) -> "CiderD":
        """N-grams are as rare as they are in captions, which are without `<start>`."""
        log_photos = float(np.log(len(ids.captions)))
        found = [rarities(ids, n, vocabulary, log_photos) for n in ORDERS]
        return cls(vocabulary, log_photos, *zip(*found))

    @classmethod
    def of_split(cls, records: RecordSet, split: str) -> "CiderD":
        """N-grams are as rare as they are in the captions of a split."""
        return cls.of_captions(
            read_reference_ids(records, split), len(records.vocabulary)
        )

    def score(
        self, captions: tf.Tensor, references: tf.Tensor, photo: tf.Tensor
    ) -> tf.Tensor:
        """Mean over each photo's references, 0.5 and not 50, float32 [photos, n].

        Args:
            captions: int32 [photos, n, length].
            references: int32 [references, length].
            photo: int32 [references], whose reference each is, in ascending order.
        """
        each = self.compare(captions, references, photo)
        # Not a segment mean: threads would add in an order of their own.
        whose = tf.one_hot(photo, tf.shape(captions)[0], axis=0)
        own = tf.reduce_sum(whose, 1, keepdims=True)
        return tf.math.divide_no_nan(tf.matmul(whose, each), own)

    def compare(
        self, captions: tf.Tensor, references: tf.Tensor, photo: tf.Tensor
    ) -> tf.Tensor:
        """Each reference with its photo's captions, float32 [references, n]."""
        own = [self.vector(captions, n) for n in ORDERS]
        theirs = [self.vector(references, n) for n in ORDERS]
        compared = [
            similarity([tf.gather(part, photo) for part in a], b)
            for a, b in zip(own, theirs)
        ]
        lengths = pairs(references)[:, tf.newaxis]
        penalty = length_penalty(tf.gather(captions, photo), lengths)
        return 10 * penalty * tf.add_n(compared) / len(ORDERS)

    def vector(self, captions: tf.Tensor, n: int) -> tuple[tf.Tensor, ...]:
        """N-grams of captions [..., length], place by place, [..., places].

        Returns:
            Their numbers, int64; weights (0 where there is none), float32; how often
            each is in its caption, float32; the norm of the whole, [...].
        """
        numbers = number(captions, n, self.vocabulary)
        there = captions[..., n - 1 :] != PAD_ID
        weight = tf.where(there, self.weigh(numbers, n), 0.0)
        count = matches(numbers, numbers, there)
        norm = tf.sqrt(tf.reduce_sum(count * weight**2, -1))
        return numbers, weight, count, norm

    def weigh(self, numbers: tf.Tensor, n: int) -> tf.Tensor:
        """Logarithm of how many photos there are for one with this n-gram."""
        # Where the tables are: a GPU need not hold them, nor each of several.
        with tf.device("CPU:0"):
            at, found = find(self.known[n - 1], numbers)
            rarity = tf.gather(self.rarity[n - 1], at)
            return tf.where(found, rarity, self.log_photos)


def find(known: tf.Tensor, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The place of n-grams among those known, int32, and whether they are theirs."""
    flat = tf.reshape(numbers, [-1])
    at = tf.minimum(tf.searchsorted(known, flat), known.shape[0] - 1)
    found = tf.gather(known, at) == flat
    shape = tf.shape(numbers)
    return tf.reshape(at, shape), tf.reshape(found, shape)


def read_reference_ids(records: RecordSet, split: str) -> CaptionIds:
    """Token ids of a split's captions, without `<start>`."""
    parts = read_parts(records, split)
    return CaptionIds.joined(part.without_first() for part in parts)


def similarity(own: Sequence[tf.Tensor], theirs: Sequence[tf.Tensor]) -> tf.Tensor:
    """Cosine, an n-gram's weight in the caption cut to that in the reference.

    Args:
        own: `CiderD.vector` of captions [references, n, length].
        theirs: of references [references, length].

    Returns:
        float32 [references, n].
    """
    numbers, weight, count, norm = own
    other, other_weight, _, other_norm = (part[:, tf.newaxis] for part in theirs)
    both = matches(numbers, other, other_weight > 0)
    # Each place of an n-gram adds its share.
    shared = tf.math.divide_no_nan(tf.minimum(count, both) * both * weight**2, count)
    return tf.math.divide_no_nan(tf.reduce_sum(shared, -1), norm * other_norm)


def matches(numbers: tf.Tensor, others: tf.Tensor, there: tf.Tensor) -> tf.Tensor:
    """How many of `others` that are `there` equal each of `numbers`, float32."""
    same = numbers[..., :, tf.newaxis] == others[..., tf.newaxis, :]
    return tf.reduce_sum(tf.cast(same & there[..., tf.newaxis, :], tf.float32), -1)


def length_penalty(captions: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Below 1 where captions [..., length] are not as long as references, `pairs`."""
    return tf.exp(-((pairs(captions) - lengths) ** 2) / (2 * SIGMA**2))


def pairs(captions: tf.Tensor) -> tf.Tensor:
    """What coco-caption takes for the length: pairs of words, float32 [...]."""
    words = tf.reduce_sum(tf.cast(captions != PAD_ID, tf.float32), -1)
    return tf.maximum(words - 1, 0)


def rarities(
    ids: CaptionIds, n: int, vocabulary: int, log_photos: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """N-grams in ascending order, and the logarithm of photos for one with them."""
    known, photos = shared_ngrams(ids, n, vocabulary)
    if not len(known):
        known, photos = np.array([-1]), np.array([1])
    rarity = (log_photos - np.log(photos)).astype(np.float32)
    with tf.device("CPU:0"):
        return tf.constant(known), tf.constant(rarity)


def trimmed(captions: tf.Tensor) -> tf.Tensor:
    """[n, length] less padding but for a 4-gram's: places are compared with places."""
    longest = tf.reduce_max(tf.math.count_nonzero(captions, 1, dtype=tf.int32))
    return tf.pad(captions[:, :longest], [[0, 0], [0, ORDERS[-1] - 1]])
