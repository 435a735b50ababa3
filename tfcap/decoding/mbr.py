"""Minimum Bayes risk (MBR) reranking of the candidates of a search.

The likeliest caption is often untypical of the likely ones: too short, or about the
only thing that the model is sure of. MBR scores each candidate by its mean CIDEr-D
against all candidates, as if these were references, weighed by their probabilities. It
can also score it against the references expected for the photo (`expected_ngrams.py`).

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
    """Scores candidates against one another.

    >>> from records import RecordSet
    >>> from tfcap.config.decoding import ConsensusConfig
    >>> from tfcap.data.features import FeatureSource
    >>> from tfcap.decoding.mbr import MbrScorer
    >>> sources = [FeatureSource(RecordSet.open("data/records"))]
    >>> scorer = MbrScorer.of_split(sources, "train", ConsensusConfig())
    >>> scorer.expected_references is None  # without `regression`
    True

    `search` takes it as `mbr_scorer` where `decoding.consensus` is set.

    Attributes:
        cider: Compares two captions.
        expected_references: Scores against the expected references, or None.
    """

    cider: CiderD
    expected_references: Optional[ExpectedCaptions] = None  # noqa: UP045  # all that TensorFlow reads

    @classmethod
    def of_split(
        cls, sources: Sequence[FeatureSource], split: str, config: ConsensusConfig
    ) -> "MbrScorer":
        """Returns a scorer made from the captions and features of a split.

        Args:
            sources: Features for the model, or for each of an ensemble.
            split: `train`, `dev` or `test`.
            config: Settings of the reranking.

        Raises:
            UserError: As `Regression.of_split`.
        """
        records = sources[0].records
        captions = read_reference_ids(records, split)
        cider = CiderD.of_captions(captions, len(records.vocabulary))
        if config.regression is None:
            return cls(cider)
        sampled = captions.of_photos(spread(len(captions.captions)))
        del captions  # half a gigabyte for millions of photos
        regression = Regression.of_split(sources, split, config.regression)
        return cls(cider, ExpectedCaptions.of_captions(sampled, cider, regression))


def rerank_by_mbr(
    captions: Captions,
    features: tf.Tensor | Sequence[tf.Tensor],
    mbr_scorer: MbrScorer,
    weight: float,
) -> Captions:
    """Ranks candidates by their expected CIDEr-D.

    Args:
        captions: Several candidates of each photo.
        features: Features of the photos, as `search` takes them.
        mbr_scorer: Compares the candidates.
        weight: Weight of a candidate = probability ** weight (0: uniform).

    Returns:
        The same captions. `score` is the expected CIDEr-D, on the scale of 0.5, not 50.
    """
    votes = tf.nn.softmax(weight * captions.log_probability)
    votes = tf.where(captions.allowed(), votes, 0.0)
    tokens = captions.tokens[:, :, 1:]
    score = tf.map_fn(
        lambda photo: agreement(photo[0], photo[1], mbr_scorer.cider),
        (tokens, votes),
        fn_output_signature=tf.TensorSpec([None], tf.float32),
    )
    if mbr_scorer.expected_references is not None:
        share = 1 / (1 + mbr_scorer.expected_references.regression.weight)
        predicted = mbr_scorer.expected_references.scores(
            tokens, features, mbr_scorer.cider
        )
        score = share * score + (1 - share) * predicted
    score = tf.where(captions.allowed(), score, MASKED_LOGIT)
    return captions._replace(score=score).best(captions.tokens.shape[1])


def agreement(tokens: tf.Tensor, votes: tf.Tensor, cider: CiderD) -> tf.Tensor:
    """Returns the mean CIDEr-D of each caption of a photo with all, float32 [n].

    Args:
        tokens: Captions without `<start>`, int32 [n, length].
        votes: Their weights in the mean, float32 [n].
        cider: Compares two captions.
    """
    tokens = trimmed(tokens)
    scores = cider.compare(tokens[tf.newaxis], tokens, tf.zeros_like(tokens[:, 0]))
    return tf.reduce_sum(votes[:, tf.newaxis] * scores, 0)
