"""Batches as `keras.Model.fit` takes them.

    config = load_config("flickr8k")
    records = RecordSet.open("data/records/flickr8k")
    model = build_model(config, records.manifest, records.vocabulary)
    model.compile(keras.optimizers.Adam(1e-3), token_loss(), jit_compile=False)
    pairs = fit_pairs(training_batches(records, config.training, epoch=0))
    model.fit(pairs, epochs=20, shuffle=False)  # the batches are shuffled

`fit` is for experiments with callbacks and losses of Keras. `Trainer` trains a whole
run: it resumes, averages weights, and keeps the best for `tfcap evaluate`.
"""

import keras
import tensorflow as tf

from records.text.vocabulary import PAD_ID
from tfcap.data.pipeline import Batch

INPUTS = ("features", "photo", "prefix")


def fit_pairs(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Returns batches as pairs of inputs and targets.

    >>> from records import RecordSet
    >>> from tfcap import Config
    >>> from tfcap.data import fit_pairs, training_batches
    >>> records = RecordSet.open("data/records")
    >>> batches = training_batches(records, Config().training, epoch=0)
    >>> inputs, target = next(iter(fit_pairs(batches)))
    >>> sorted(inputs), inputs["prefix"].shape == target.shape
    (['features', 'photo', 'prefix'], True)

    Args:
        batches: of `training_batches` or `scoring_batches`, in either expansion, with
            features.

    Returns:
        A data set of (`features`, `photo` and `prefix` by name; the token that follows
        each token of the prefix, int32 [rows, length], 0 where none is a target).
    """
    return batches.map(pair, num_parallel_calls=1)


def pair(batch: Batch) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
    target, prefix = batch["target"], batch["prefix"]
    if target.shape.rank == 1:
        last = tf.math.count_nonzero(prefix, axis=1, dtype=tf.int32) - 1
        rows = tf.range(tf.size(target))
        target = tf.scatter_nd(tf.stack([rows, last], 1), target, tf.shape(prefix))
    return {name: batch[name] for name in INPUTS}, target


def token_loss() -> keras.losses.Loss:
    """Returns the cross-entropy of tokens; its mean leaves padding out.

    >>> import tensorflow as tf
    >>> from tfcap.data import token_loss
    >>> logits = tf.zeros([1, 2, 8])  # [rows, length, vocabulary]; all equally likely
    >>> loss = token_loss()(tf.constant([[5, 0]]), logits)
    >>> print(f"{loss:.4f}")  # log 8
    2.0794
    """
    return keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=PAD_ID
    )
