"""The caption that agrees best with all that one would say.

The likeliest caption is often an odd one among likely ones: too short, or of the one
thing the model is sure of. Here each caption found is compared with all of them, as if
these were references, and the one with the highest CIDEr-D on average comes first: the
least Bayes risk, of the distribution over the captions found. Or it is compared with
what people would write as well, predicted from the photo (`expected_ngrams.py`).

Source: Kumar and Byrne, "Minimum Bayes-Risk Decoding for Statistical Machine
Translation", 2004.
"""

from collections.abc import Sequence
from typing import Optional

import tensorflow as tf

from tfcap.config.decoding import ConsensusConfig
from tfcap.data.features import FeatureSource
from tfcap.decoding.expected_ngrams import ExpectedCaptions
from tfcap.decoding.kernel_regression import Regression, spread
from tfcap.decoding.output import MASKED_LOGIT, Captions
from tfcap.metrics.cider import CiderD, read_reference_ids, trimmed


class MbrScorer(tf.experimental.ExtensionType):
    """What a consensus is found by.

    Attributes:
        cider: compares two captions.
        people: what they would write, or None.
    """

    cider: CiderD
    expected_references: Optional[ExpectedCaptions] = None  # noqa: UP045  # all that TensorFlow reads

    @classmethod
    def of_split(
        cls, sources: Sequence[FeatureSource], split: str, config: ConsensusConfig
    ) -> "MbrScorer":
        """As they are in the photos of a split.

        Args:
            sources: of each model of an ensemble, or of the only one.

        Raises:
            UserError: see `Regression.of_split`.
        """
        records = sources[0].records
        captions = read_reference_ids(records, split)
        cider = CiderD.of_captions(captions, len(records.vocabulary))
        if config.regression is None:
            return cls(cider)
        seen = captions.of_photos(spread(len(captions.captions)))
        del captions  # of millions of photos half a gigabyte
        regression = Regression.of_split(sources, split, config.regression)
        return cls(cider, ExpectedCaptions.of_captions(seen, cider, regression))


def rerank_by_mbr(
    found: Captions,
    features: tf.Tensor | Sequence[tf.Tensor],
    mbr_scorer: MbrScorer,
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
    tokens = found.tokens[:, :, 1:]
    score = tf.map_fn(
        lambda photo: agreement(*photo, mbr_scorer.cider),
        (tokens, votes),
        fn_output_signature=tf.TensorSpec([None], tf.float32),
    )
    if mbr_scorer.expected_references is not None:
        share = 1 / (1 + mbr_scorer.expected_references.regression.weight)
        predicted = mbr_scorer.expected_references.scores(
            tokens, features, mbr_scorer.cider
        )
        score = share * score + (1 - share) * predicted
    score = tf.where(found.allowed(), score, MASKED_LOGIT)
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
    tokens = trimmed(tokens)
    alike = cider.compare(tokens[tf.newaxis], tokens, tf.zeros_like(tokens[:, 0]))
    return tf.reduce_sum(votes[:, tf.newaxis] * alike, 0)
