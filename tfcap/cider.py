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

from records import schema
from records.reader import RecordSet, read_shard
from records.vocabulary import PAD_ID

ORDERS = (1, 2, 3, 4)
SIGMA = 6.0  # of the penalty on another length than the reference's


class CiderD:
    """Scores captions of photos against their references.

    Captions are token ids without `<start>`, `<end>` included, padded with 0. `<end>`
    counts as a word: else captions learn to break off after "a man in a". Source of
    that: Luo, "A Better Variant of Self-Critical Sequence Training", 2020.

    Args:
        references: captions of each photo that tell how rare an n-gram is.
        vocabulary: how many tokens there are.
    """

    def __init__(self, references: Sequence[Sequence[Sequence[int]]], vocabulary: int):
        self.vocabulary = vocabulary
        self.log_photos = float(np.log(len(references)))
        photo = np.repeat(np.arange(len(references)), [len(r) for r in references])
        captions = pad([caption for own in references for caption in own])
        self.rarity = {
            n: rarities(number(captions, n, vocabulary), photo, self.log_photos)
            for n in ORDERS
        }

    @classmethod
    def of_split(cls, records: RecordSet, split: str) -> "CiderD":
        """N-grams are as rare as they are in the captions of a split."""
        return cls(read_references(records, split), len(records.vocabulary))

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
        at, found = self.find(numbers, n)
        return tf.where(found, tf.gather(self.rarity[n][1], at), self.log_photos)

    def find(self, numbers: tf.Tensor, n: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The place of n-grams among those known, int32, and whether it is theirs."""
        known, _ = self.rarity[n]
        flat = tf.reshape(numbers, [-1])
        at = tf.minimum(tf.searchsorted(known, flat), len(known) - 1)
        found = tf.gather(known, at) == flat
        shape = tf.shape(numbers)
        return tf.reshape(at, shape), tf.reshape(found, shape)


def read_references(records: RecordSet, split: str) -> list[list[tuple[int, ...]]]:
    """Token ids of each photo's captions, without `<start>`."""
    return [
        [ids[1:] for ids in schema.decode(photo, records.manifest.features).ids]
        for path in records.shard_paths(split)
        for photo in read_shard(path)
    ]


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


def number(captions, n: int, vocabulary: int):
    """One int64 for each n-gram, [..., length - n + 1]; of arrays and of tensors.

    Up to 55,000 tokens no two 4-grams have the same; beyond, numbers wrap around and
    two in 10**19 may.
    """
    wide = (
        tf.cast(captions, tf.int64)
        if tf.is_tensor(captions)
        else captions.astype(np.int64)
    )
    places = captions.shape[-1]
    places = (tf.shape(captions)[-1] if places is None else places) - n + 1
    numbers = wide[..., :places]
    for place in range(1, n):
        numbers = numbers * vocabulary + wide[..., place : place + places]
    return numbers


def rarities(
    numbers: np.ndarray, photo: np.ndarray, log_photos: float
) -> tuple[np.ndarray, np.ndarray]:
    """N-grams in ascending order, and the logarithm of photos for one with them.

    Args:
        numbers: int64 [captions, places]; those that run into padding do no harm, for
            nobody asks for them.
        photo: int [captions].
    """
    flat, whose = numbers.ravel(), np.repeat(photo, numbers.shape[1])
    order = np.lexsort((whose, flat))
    flat, whose = flat[order], whose[order]
    fresh = np.ones(len(flat), bool)
    fresh[1:] = (flat[1:] != flat[:-1]) | (whose[1:] != whose[:-1])
    known, photos = np.unique(flat[fresh], return_counts=True)
    if not len(known):
        known, photos = np.array([-1]), np.array([1])
    return known, (log_photos - np.log(photos)).astype(np.float32)


def trimmed(captions: tf.Tensor) -> tf.Tensor:
    """[n, length] less padding but for a 4-gram's: places are compared with places."""
    longest = tf.reduce_max(tf.math.count_nonzero(captions, 1, dtype=tf.int32))
    return tf.pad(captions[:, :longest], [[0, 0], [0, ORDERS[-1] - 1]])


def pad(captions: Sequence[Sequence[int]]) -> np.ndarray:
    """int64 [captions, longest], at least as long as the longest n-gram."""
    length = max(map(len, captions), default=0)
    padded = np.full([len(captions), max(length, ORDERS[-1])], PAD_ID, np.int64)
    for row, caption in zip(padded, captions):
        row[: len(caption)] = caption
    return padded
