"""The caption that agrees best with all that the model would say.

The likeliest caption is often an odd one among likely ones: too short, or of the one
thing the model is sure of. Here each caption found is compared with all of them, as if
these were references, and the one with the highest CIDEr-D on average comes first: the
least Bayes risk, of the distribution over the captions found.

Source: Kumar and Byrne, "Minimum Bayes-Risk Decoding for Statistical Machine
Translation", 2004; of captions, by likeness to those of similar photos: Devlin et al.,
"Exploring Nearest Neighbor Approaches for Image Captioning", 2015.
"""

import tensorflow as tf

from tfcap.cider import CiderD
from tfcap.decoding.captions import NEVER, Captions


def by_consensus(found: Captions, cider: CiderD, weight: float) -> Captions:
    """The captions found, the one that agrees best first.

    Args:
        found: several of each photo.
        cider: compares two captions.
        weight: a caption counts as its probability to this power; 0: all alike.

    Returns:
        The same captions; `score` is the CIDEr-D to be expected, 0.5 and not 50.
    """
    votes = tf.nn.softmax(weight * found.log_probability)
    votes = tf.where(found.allowed(), votes, 0.0)
    score = tf.map_fn(
        lambda photo: agreement(*photo, cider),
        (found.tokens[:, :, 1:], votes),
        fn_output_signature=tf.TensorSpec([None], tf.float32),
    )
    score = tf.where(found.allowed(), score, NEVER)
    score, order = tf.math.top_k(score, found.tokens.shape[1])
    return Captions(
        tf.gather(found.tokens, order, batch_dims=1),
        score,
        tf.gather(found.log_probability, order, batch_dims=1),
    )


def agreement(tokens: tf.Tensor, votes: tf.Tensor, cider: CiderD) -> tf.Tensor:
    """CIDEr-D of each caption of one photo with all of them, float32 [n].

    Args:
        tokens: int32 [n, length], without `<start>`.
        votes: how much each counts, float32 [n].
    """
    # Most places are padding, and places are compared with places.
    longest = tf.reduce_max(tf.math.count_nonzero(tokens, 1, dtype=tf.int32))
    tokens = tf.pad(tokens[:, :longest], [[0, 0], [0, 3]])  # room for a 4-gram
    alike = cider.compare(tokens[tf.newaxis], tokens, tf.zeros_like(tokens[:, 0]))
    return tf.reduce_sum(votes[:, tf.newaxis] * alike, 0)
