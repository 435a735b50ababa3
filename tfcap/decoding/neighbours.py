"""Training photos like a photo: what people wrote of these is likely of it too.

Photos are alike as the cosine of their features is high: the mean over cells, each
channel brought to zero mean and unit deviation over the training photos.

Source: Devlin et al., "Exploring Nearest Neighbor Approaches for Image Captioning",
2015.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records import schema
from records.errors import UserError
from records.reader import RecordSet, read_shard
from tfcap.cider import pad
from tfcap.decoding_config import NeighboursConfig
from tfcap.feature_sources import FeatureSource, check_same_photos

# Beyond are grids that were flattened: no likeness in that, and gigabytes.
MOST_CHANNELS = 8192
BATCH = 100  # photos whose features are in memory


class View(NamedTuple):
    """The training photos as one encoder sees them.

    Attributes:
        mean, scale: what standardises, float32 [channels].
        vectors: standardised and of length 1, float16 [photos, channels].
    """

    mean: np.ndarray
    scale: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> "View":
        """Of features as they are, float32 [photos, channels]."""
        mean, deviation = vectors.mean(0), vectors.std(0)
        dead = deviation <= 1e-6 * deviation.max(initial=0)
        scale = np.where(dead, 0, 1 / np.where(dead, 1, deviation)).astype(np.float32)
        standard = (vectors - mean) * scale
        length = np.linalg.norm(standard, axis=1, keepdims=True)
        return cls(mean, scale, (standard / np.maximum(length, 1e-6)).astype("float16"))

    def likeness(self, features: tf.Tensor) -> tf.Tensor:
        """Cosine with each training photo, float32 [batch, photos]."""
        vectors = mean_of_cells(features) - self.mean
        standard = tf.math.l2_normalize(vectors * self.scale, 1)
        known = tf.cast(self.vectors, tf.float32)
        return tf.matmul(standard, known, transpose_b=True)


class Neighbours:
    """Finds the training photos most like a photo.

    Args:
        views: by the place of their encoder's features among those of a batch; photos
            are alike as they are on average over the views.
        captions: token ids of each training photo's captions, without `<start>`.
        config: how many are found and how much each counts.
    """

    def __init__(
        self,
        views: dict[int, View],
        captions: Sequence[Sequence[Sequence[int]]],
        config: NeighboursConfig,
    ):
        self.views, self.config = views, config
        self.count = min(config.count, len(captions))
        most = max(map(len, captions))
        rows = [[*own, *[[]] * (most - len(own))] for own in captions]
        flat = pad([caption for own in rows for caption in own])
        self.captions = flat.reshape([len(rows), most, -1]).astype(np.int32)

    @classmethod
    def of_split(
        cls, sources: Sequence[FeatureSource], split: str, config: NeighboursConfig
    ) -> "Neighbours":
        """Of the photos of a split.

        Args:
            sources: of each model of an ensemble, or of the only one.

        Raises:
            UserError: features are no vectors or grids of them; records of several
                encoders do not hold the same photos in the same order.
        """
        first = sources[0].records
        ids, captions = read_captions(first, split)
        found, keys = {}, [source.key for source in sources]
        for place, source in enumerate(sources):
            if keys.index(source.key) == place:
                own, vectors = mean_features(source, split)
                check_same_photos(first, source.records, split, ids, own)
                found[place] = View.of(vectors)
        return cls(found, captions, config)

    def vote(
        self, features: tf.Tensor | Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Captions of each photo's neighbours, and how much each counts.

        Args:
            features: [batch, *shape], or of each model of an ensemble its own.

        Returns:
            int32 [batch, n, length]; float32 [batch, n], their sum 1.
        """
        given = [features] if tf.is_tensor(features) else features
        seen = [view.likeness(given[place]) for place, view in self.views.items()]
        alike, photo = tf.math.top_k(tf.add_n(seen) / len(seen), self.count)
        captions = tf.gather(self.captions, photo)
        there = tf.cast(captions[..., 0] != 0, tf.float32)
        share = tf.nn.softmax(alike / self.config.temperature)
        each = there / tf.reduce_sum(there, -1, keepdims=True)
        votes = share[..., tf.newaxis] * each
        batch, n = tf.shape(photo)[0], self.count * self.captions.shape[1]
        captions = tf.reshape(captions, [batch, n, self.captions.shape[2]])
        return captions, tf.reshape(votes, [batch, n])


def read_captions(
    records: RecordSet, split: str
) -> tuple[list[str], list[list[tuple[int, ...]]]]:
    """Ids of photos, and token ids of their captions, without `<start>`."""
    ids, captions = [], []
    for path in records.shard_paths(split):
        for serialized in read_shard(path):
            photo = schema.decode(serialized, records.manifest.features)
            ids.append(photo.photo_id)
            captions.append([caption[1:] for caption in photo.ids])
    return ids, captions


def mean_features(source: FeatureSource, split: str) -> tuple[list[str], np.ndarray]:
    """Ids of photos, and their features' means, float32 [photos, channels]."""
    channels = source.spec.shape[-1]
    if channels > MOST_CHANNELS:
        raise UserError(
            f"decoding.consensus.neighbours finds photos by features of at most "
            f"{MOST_CHANNELS:,} channels; those of {source.records.directory} have "
            f"{channels:,}: build records with encoder.pooling avg or grid, or leave "
            "neighbours out"
        )
    ids, means = [], []
    for names, features in source.batches(split, BATCH):
        ids += names
        means.append(mean_of_cells(features))
    return ids, np.concatenate(means)


def mean_of_cells(features: tf.Tensor) -> tf.Tensor:
    """[batch, ..., channels] -> float32 [batch, channels]."""
    cells = tf.range(1, features.shape.rank - 1)
    return tf.reduce_mean(tf.cast(features, tf.float32), cells)
