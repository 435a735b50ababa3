"""Photos of records as pixels, augmented or not."""

import numpy as np
import pytest
import tensorflow as tf

from records.format.manifest import EncoderInfo
from tfcap.config.training import FineTuningConfig
from tfcap.data.augmentation import augmented_photos, whole_photos
from tfcap.images.decoding import read_photo

SIZE = 32
ENCODER = EncoderInfo(
    name="fake",
    layer=None,
    pooling="avg",
    input_size=SIZE,
    preprocessing="none",
    weights="none",
    digest="d" * 64,
)
NAMES = [f"{i}.jpg" for i in range(24)]


@pytest.fixture(scope="module")
def photo() -> bytes:
    """Red grows to the right, green downwards."""
    along = np.linspace(0, 255, 64)
    pixels = np.zeros([64, 64, 3])
    pixels[..., 0], pixels[..., 1] = along, along[:, None]
    return tf.io.encode_png(tf.cast(pixels, tf.uint8)).numpy()


def read(photo, names=NAMES, seed=0, epoch=0, **settings) -> np.ndarray:
    reader = augmented_photos(ENCODER, FineTuningConfig(**settings), seed)
    batch = tf.constant(names), tf.constant([photo] * len(names)), tf.constant(epoch)
    dataset = tf.data.Dataset.from_tensors(batch).map(reader)
    return next(iter(dataset)).numpy()


def test_whole_photos_are_what_the_encoder_reads(photo):
    pixels = whole_photos(ENCODER, tf.constant([photo]))
    np.testing.assert_array_equal(pixels[0], read_photo(tf.constant(photo), SIZE))
    five = ENCODER.model_copy(update={"crops": 5})
    larger = whole_photos(five, tf.constant([photo]))
    assert larger.shape == [1, 37, 37, 3]


def test_without_crop_and_flip_photos_are_whole(photo):
    found = read(photo, crop=1.0, flip=False)
    np.testing.assert_array_equal(found[0], read_photo(tf.constant(photo), SIZE))


def test_about_half_are_mirrored(photo):
    whole = read_photo(tf.constant(photo), SIZE).numpy()
    found = read(photo, crop=1.0)
    mirrored = [np.array_equal(one, whole[:, ::-1]) for one in found]
    same = [np.array_equal(one, whole) for one in found]
    assert sum(mirrored) + sum(same) == len(NAMES)
    assert 6 <= sum(mirrored) <= 18


def test_crops_are_part_of_the_photo(photo):
    found = read(photo, crop=0.5, flip=False)
    assert found.shape == (len(NAMES), SIZE, SIZE, 3)
    # Half of the colours' range is in each, its place another one.
    for one in found:
        width = one[0, -1, 0] - one[0, 0, 0]
        height = one[-1, 0, 1] - one[0, 0, 1]
        assert width == pytest.approx(127, abs=8) == height
    corners = found[:, 0, 0, :2]
    assert corners.min() < 30 and corners.max() > 100
    assert np.abs(np.corrcoef(corners.T)[0, 1]) < 0.6


def test_it_is_a_function_of_seed_epoch_and_photo(photo):
    found = read(photo)
    np.testing.assert_array_equal(found[::-1], read(photo, NAMES[::-1]))
    for change in ({"seed": 1}, {"epoch": 1}):
        other = read(photo, **change)
        assert sum(np.array_equal(a, b) for a, b in zip(found, other)) < 3


def test_no_photo_at_all():
    reader = augmented_photos(ENCODER, FineTuningConfig(), 0)
    nothing = tf.zeros([0], tf.string)
    assert reader(nothing, nothing, 0).shape == [0, SIZE, SIZE, 3]
