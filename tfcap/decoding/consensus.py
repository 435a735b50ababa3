"""The caption that agrees best with all that one would say.

The likeliest caption is often an odd one among likely ones: too short, or of the one
thing the model is sure of. Here each caption found is compared with all of them, as if
these were references, and the one with the highest CIDEr-D on average comes first: the
least Bayes risk, of the distribution over the captions found. Captions that people
wrote of like photos may vote with them.

Source: Kumar and Byrne, "Minimum Bayes-Risk Decoding for Statistical Machine
Translation", 2004; of captions, by likeness to those of similar photos: Devlin et al.,
"Exploring Nearest Neighbor Approaches for Image Captioning", 2015.
"""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf

from tfcap.cider import CiderD
from tfcap.decoding.captions import NEVER, Captions
from tfcap.decoding.neighbours import Neighbours
from tfcap.decoding_config import ConsensusConfig
from tfcap.feature_sources import FeatureSource


class Voters(NamedTuple):
    """What a consensus is found by.

    Attributes:
        cider: compares two captions.
        neighbours: whose captions vote as well, or None.
    """

    cider: CiderD
    neighbours: Neighbours | None = None

    @classmethod
    def of_split(
        cls, sources: Sequence[FeatureSource], split: str, config: ConsensusConfig
    ) -> "Voters":
        """As they are in the photos of a split.

        Args:
            sources: of each model of an ensemble, or of the only one.

        Raises:
            UserError: see `Neighbours.of_split`.
        """
        neighbours = config.neighbours and Neighbours.of_split(
            sources, split, config.neighbours
        )
        return cls(CiderD.of_split(sources[0].records, split), neighbours)


def by_consensus(
    found: Captions,
    features: tf.Tensor | Sequence[tf.Tensor],
    voters: Voters,
    weight: float,
) -> Captions:
    """The captions found, the one that agrees best first.

    Args:
        found: several of each photo.
        features: of the photos, as `search` takes them.
        weight: a caption counts as its probability to this power; 0: all alike.

    Returns:
        The same captions; `score` is the CIDEr-D to be expected, 0.5 and not 50.
    """
    votes = tf.nn.softmax(weight * found.log_probability)
    votes = tf.where(found.allowed(), votes, 0.0)
    tokens = others = found.tokens[:, :, 1:]
    if voters.neighbours:
        share = 1 / (1 + voters.neighbours.config.weight)
        captions, theirs = voters.neighbours.vote(features)
        others = side_by_side(tokens, captions)
        votes = tf.concat([share * votes, (1 - share) * theirs], 1)
    score = tf.map_fn(
        lambda photo: agreement(*photo, voters.cider),
        (tokens, others, votes),
        fn_output_signature=tf.TensorSpec([None], tf.float32),
    )
    score = tf.where(found.allowed(), score, NEVER)
    score, order = tf.math.top_k(score, found.tokens.shape[1])
    return Captions(
        tf.gather(found.tokens, order, batch_dims=1),
        score,
        tf.gather(found.log_probability, order, batch_dims=1),
    )


def side_by_side(tokens: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Captions [photos, n, length] and [photos, m, length'] -> [photos, n + m, ...]."""
    lengths = [tf.shape(captions)[2] for captions in (tokens, others)]
    length = tf.reduce_max(lengths)
    padded = [
        tf.pad(captions, [[0, 0], [0, 0], [0, length - own]])
        for captions, own in zip((tokens, others), lengths)
    ]
    return tf.concat(padded, 1)


def agreement(
    tokens: tf.Tensor, others: tf.Tensor, votes: tf.Tensor, cider: CiderD
) -> tf.Tensor:
    """CIDEr-D of each caption of one photo with all the others, float32 [n].

    Args:
        tokens: int32 [n, length], without `<start>`.
        others: int32 [m, length'].
        votes: how much each of these counts, float32 [m].
    """
    tokens, others = trimmed(tokens), trimmed(others)
    alike = cider.compare(tokens[tf.newaxis], others, tf.zeros_like(others[:, 0]))
    return tf.reduce_sum(votes[:, tf.newaxis] * alike, 0)


def trimmed(tokens: tf.Tensor) -> tf.Tensor:
    """Less padding: places are compared with places. Room for a 4-gram is left."""
    longest = tf.reduce_max(tf.math.count_nonzero(tokens, 1, dtype=tf.int32))
    return tf.pad(tokens[:, :longest], [[0, 0], [0, 3]])
