"""Training photos like a photo, and how much their captions count."""

import numpy as np
import pytest
import tensorflow as tf

from records.errors import UserError
from records.reader import RecordSet
from records.schema import FeatureSpec
from tfcap.decoding.neighbours import Neighbours, View
from tfcap.decoding_config import NeighboursConfig
from tfcap.feature_sources import FeatureSource

EAST, NORTH, WEST = [3.0, 1.0], [1.0, 3.0], [-3.0, 1.0]
PHOTOS = np.array([EAST, NORTH, WEST], np.float32)
CAPTIONS = [[[5, 6, 2]], [[7, 2], [8, 9, 10, 2]], [[11, 2]]]


def neighbours(**settings) -> Neighbours:
    return Neighbours({0: View.of(PHOTOS)}, CAPTIONS, NeighboursConfig(**settings))


def sources(*read: RecordSet) -> list[FeatureSource]:
    return [FeatureSource(records) for records in read]


def test_the_most_alike_come_first_and_count_most():
    captions, votes = neighbours(count=2).vote(tf.constant([WEST]))
    assert captions[0, 0].numpy().tolist() == [11, 2, 0, 0]
    assert votes[0, 0] > 0.9
    np.testing.assert_allclose(tf.reduce_sum(votes), 1.0, rtol=1e-6)


def test_a_photo_counts_the_same_however_many_captions_it_has():
    captions, votes = neighbours(count=3, temperature=1e6).vote(tf.constant([EAST]))
    counts = {
        tuple(row): vote for row, vote in zip(captions[0].numpy(), votes[0].numpy())
    }
    assert counts[5, 6, 2, 0] == pytest.approx(1 / 3, abs=1e-5)
    assert counts[7, 2, 0, 0] == pytest.approx(1 / 6, abs=1e-5)
    assert counts[0, 0, 0, 0] == 0


def test_there_are_no_more_than_there_are_photos():
    assert neighbours(count=50).vote(tf.constant([EAST]))[0].shape == (1, 6, 4)


def test_a_grid_is_alike_by_its_mean():
    grid = tf.constant([[[WEST, EAST], [WEST, WEST]]])  # their mean is [-1.5, 1]
    mean = tf.constant([[-1.5, 1.0]])
    for ours, theirs in zip(neighbours().vote(grid), neighbours().vote(mean)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_several_views_are_averaged():
    other = View.of(PHOTOS[::-1])  # to this encoder the first is like the last
    both = Neighbours(
        {0: View.of(PHOTOS), 2: other}, CAPTIONS, NeighboursConfig(count=1)
    )
    captions, _ = both.vote([tf.constant([EAST]), None, tf.constant([EAST])])
    alone = View.of(PHOTOS).likeness(tf.constant([EAST]))
    mean = (alone + other.likeness(tf.constant([EAST]))) / 2
    assert captions[0, 0, 0] == CAPTIONS[int(tf.argmax(mean[0]))][0][0]


def test_a_channel_that_is_always_the_same_says_nothing():
    dull = np.concatenate([PHOTOS, np.full([3, 1], 7.0, np.float32)], 1)
    likeness = View.of(dull).likeness(tf.constant([[*EAST, 9.0]]))
    np.testing.assert_allclose(
        likeness, View.of(PHOTOS).likeness(tf.constant([EAST])), atol=1e-6
    )


def test_of_a_split(make_records):
    records = make_records({"train": 12, "dev": 4})
    found = Neighbours.of_split(
        sources(records, records), "train", NeighboursConfig(count=1)
    )
    assert list(found.views) == [0]
    assert found.captions.shape[0] == 12
    assert (found.captions[:, 0, 0] > 1).all()  # without <start>


def test_records_of_other_photos_are_refused(make_records):
    one = make_records({"train": 12, "dev": 4})
    other = make_records({"train": 10, "dev": 4}, name="other")
    with pytest.raises(UserError, match="do not hold the same photos of split train"):
        Neighbours.of_split(sources(one, other), "train", NeighboursConfig())


def test_flattened_grids_are_refused(make_records):
    records = make_records({"train": 2}, FeatureSpec(shape=(9000,), dtype="float32"))
    with pytest.raises(UserError, match=r"at most 8,192 channels; .* have 9,000"):
        Neighbours.of_split(sources(records), "train", NeighboursConfig())
