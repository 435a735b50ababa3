"""Objectives of training: losses of a batch, and what their mean is taken over."""

from dataclasses import dataclass
from typing import Protocol

import tensorflow as tf

from records.text.vocabulary import PAD_ID
from tfcap.data.pipeline import Batch
from tfcap.models.base import CaptioningModel
from tfcap.ops.cross_entropy import smoothed_cross_entropy
from tfcap.ops.packed_tokens import PackedTokens
from tfcap.ops.random import row_seeds


class Objective(Protocol):
    """A sum of losses, and the number that it is divided by for their mean."""

    def losses(
        self, model: CaptioningModel, batch: Batch, seed: tf.Tensor | None
    ) -> tf.Tensor:
        """Returns losses whose sum is the loss of the batch, float32 [n].

        Args:
            model: with the weights that the losses are differentiated by.
            batch: with features.
            seed: of each photo's random numbers, int32 [photos]; None in scoring.
        """

    def count(self, batch: Batch) -> tf.Tensor:
        """Returns the number of losses in the batch without padding, int64."""


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy; its mean is taken over the target tokens."""

    label_smoothing: float = 0.0

    def losses(
        self, model: CaptioningModel, batch: Batch, seed: tf.Tensor | None
    ) -> tf.Tensor:
        return token_losses(model, batch, self.label_smoothing, seed)

    def count(self, batch: Batch) -> tf.Tensor:
        return count_targets(batch)


def token_losses(
    model: CaptioningModel, batch: Batch, label_smoothing: float, seed: tf.Tensor | None
) -> tf.Tensor:
    """Computes the cross-entropy of each target token, in either expansion.

    Only tokens with a target pass through the output layer: the last one of a prefix,
    or all up to `<end>` of a causal row. The padding of batches has a loss of 0.

    Args:
        model: the model.
        batch: with features.
        label_smoothing: weight of the uniform distribution.
        seed: of each photo's dropout, int32 [photos]; None without dropout.

    Returns:
        float32 [tokens].
    """
    context = model.encode(batch["features"], seed)
    text, target = PackedTokens.of(batch["prefix"]), batch["target"]
    rows = None if seed is None else row_seeds(seed, batch["photo"])
    hidden = model.read(context.select_rows(batch["photo"]), text, rows)
    seeds = text.seeds(rows)
    if target.shape.rank == 1:
        hidden = tf.gather(hidden, text.last)
        seeds = None if seeds is None else tf.gather(seeds, text.last)
    else:
        target = text.pack(target)
    logits = model.predict_token(hidden, seeds)
    losses = smoothed_cross_entropy(logits, target, label_smoothing)
    return tf.where(target != PAD_ID, losses, 0.0)


def count_targets(batch: Batch) -> tf.Tensor:
    """Returns the number of target tokens, int64."""
    return tf.math.count_nonzero(batch["target"] != PAD_ID)
