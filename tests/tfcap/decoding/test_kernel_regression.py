"""Weights of the training photos for a photo."""

import numpy as np
import pytest
import tensorflow as tf

from records.errors import UserError
from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec
from records.format.shard_reader import ShardReader
from tfcap.config.decoding import RegressionConfig
from tfcap.data.features import FeatureSource
from tfcap.data.pipeline import photo_batches
from tfcap.decoding import kernel_regression
from tfcap.decoding.kernel_regression import (
    Regression,
    View,
    invert,
    kernel,
    mean_features,
    spread,
)

EAST, NORTH, WEST = [3.0, 1.0], [1.0, 3.0], [-3.0, 1.0]
PHOTOS = np.array([EAST, NORTH, WEST], np.float32)


def weights(features, views=None, **settings) -> np.ndarray:
    views = views or {0: View.of(PHOTOS)}
    return (
        Regression.of_views(views, RegressionConfig(**settings))
        .weights(features)
        .numpy()
    )


def sources(*read: RecordSet) -> list[FeatureSource]:
    return [FeatureSource(records) for records in read]


def test_a_training_photo_tells_of_itself():
    found = weights(tf.constant(PHOTOS), ridge=1e-6)
    np.testing.assert_allclose(found, np.eye(3), atol=1e-2)


def test_the_greater_the_ridge_the_more_it_is_the_mean_of_all():
    found = weights(tf.constant(PHOTOS), ridge=1e6)
    np.testing.assert_allclose(found, np.full([3, 3], 1 / 3), atol=1e-4)


def test_the_sum_is_one():
    photos = np.random.default_rng(0).normal(size=[5, 2]).astype(np.float32)
    np.testing.assert_allclose(weights(tf.constant(photos)).sum(1), 1, rtol=1e-5)


def test_it_is_ridge_regression():
    # In the space of the kernel, of what is left when the mean is taken off.
    rng = np.random.default_rng(1)
    known, asked = (rng.normal(size=[n, 6]).astype(np.float32) for n in (20, 4))
    values, view = rng.normal(size=[20, 3]), View.of(known)
    found = weights(tf.constant(asked), {0: view}, width=0.5, ridge=0.1) @ values
    alike = [view.similarity(tf.constant(photos)).numpy() for photos in (known, asked)]
    own, theirs = (np.exp((cosine - 1) / 0.5) for cosine in alike)
    mean = values.mean(0)
    fitted = np.linalg.solve(own + 0.1 * np.eye(20), values - mean)
    np.testing.assert_allclose(found, mean + theirs @ fitted, atol=5e-3)


def test_a_grid_is_alike_by_its_mean():
    grid = tf.constant([[[WEST, EAST], [WEST, WEST]]])  # their mean is [-1.5, 1]
    mean = tf.constant([[-1.5, 1.0]])
    np.testing.assert_allclose(weights(grid), weights(mean), rtol=1e-5)


def test_several_views_are_averaged():
    one, other = View.of(PHOTOS), View.of(PHOTOS[::-1])
    east = tf.constant([EAST])
    found = weights([east, None, east], {0: one, 2: other}, ridge=1e-3)
    # To the other encoder the first photo is like the last, so that to both together
    # these two are alike.
    assert found[0, 0] == pytest.approx(found[0, 2], abs=1e-3)


def test_a_channel_that_is_always_the_same_says_nothing():
    dull = np.concatenate([PHOTOS, np.full([3, 1], 7.0, np.float32)], 1)
    likeness = View.of(dull).similarity(tf.constant([[*EAST, 9.0]]))
    np.testing.assert_allclose(
        likeness, View.of(PHOTOS).similarity(tf.constant([EAST])), atol=1e-6
    )


def test_of_a_split(make_records):
    records = make_records({"train": 12, "dev": 4})
    found = Regression.of_split(sources(records, records), "train", RegressionConfig())
    assert list(found.views) == [0]
    assert found.inverse.shape == (12, 12)
    (means,) = mean_features(sources(records), "train")
    assert found.weights(tf.constant(means)).numpy().argmax(1).tolist() == [*range(12)]


def test_of_many_photos_an_even_sample_is_taken(make_records, monkeypatch):
    records = make_records({"train": 12, "dev": 4})
    monkeypatch.setattr(kernel_regression, "MOST_PHOTOS", 4)
    found = Regression.of_split(sources(records), "train", RegressionConfig())
    assert found.inverse.shape == (4, 4)
    assert spread(12).tolist() == [0, 4, 7, 11]
    assert spread(3).tolist() == [0, 1, 2]


def test_only_photos_of_the_sample_are_read(make_records, monkeypatch):
    records = make_records({"train": 40})
    monkeypatch.setattr(kernel_regression, "MOST_PHOTOS", 3)
    read = []

    def reading(self, offset, read_one=ShardReader.read):
        read.append(offset)
        return read_one(self, offset)

    monkeypatch.setattr(ShardReader, "read", reading)
    (means,) = mean_features(sources(records), "train")
    assert len(means) == len(read) == 3
    (every,) = (batch["features"] for batch in photo_batches(records, "train", 40))
    np.testing.assert_array_equal(means, every.numpy()[spread(40)])


@pytest.mark.parametrize("size", [1, 8, 29])
def test_a_matrix_is_inverted_in_its_place(monkeypatch, size):
    monkeypatch.setattr(kernel_regression, "SIDE", 8)
    rows = np.random.default_rng(0).normal(size=[size, size])
    matrix = rows @ rows.T + np.eye(size)
    inverse = np.linalg.inv(matrix)
    invert(matrix)
    np.testing.assert_allclose(matrix, inverse, rtol=1e-9, atol=1e-12)


def test_the_kernel_is_made_in_blocks(monkeypatch):
    vectors = [View.of(PHOTOS).vectors.numpy(), View.of(PHOTOS[::-1]).vectors.numpy()]
    whole = kernel(vectors, 0.5)
    monkeypatch.setattr(kernel_regression, "SIDE", 2)
    np.testing.assert_allclose(kernel(vectors, 0.5), whole, rtol=1e-6)
    likeness = sum(v.astype("f") @ v.astype("f").T for v in vectors) / 2
    np.testing.assert_allclose(whole, np.exp((likeness - 1) / 0.5), rtol=1e-6)


def test_records_of_other_photos_are_refused(make_records):
    one = make_records({"train": 12, "dev": 4})
    other = make_records({"train": 10, "dev": 4}, name="other")
    with pytest.raises(UserError, match="do not hold the same photos of split train"):
        Regression.of_split(sources(one, other), "train", RegressionConfig())


def test_flattened_grids_are_refused(make_records):
    records = make_records({"train": 2}, FeatureSpec(shape=(9000,), dtype="float32"))
    with pytest.raises(UserError, match=r"at most 8,192 channels; .* have 9,000"):
        Regression.of_split(sources(records), "train", RegressionConfig())
