"""Reads photos that records keep as pixels, for an encoder that is trained."""

from collections.abc import Callable

import tensorflow as tf

from records.errors import UserError
from records.format.manifest import EncoderInfo
from records.format.record_set import RecordSet
from tfcap.config.training import FineTuningConfig, TrainingConfig
from tfcap.encoders.crops import photo_side
from tfcap.images.decoding import read_photo
from tfcap.images.resizing import resizing_of
from tfcap.ops.random import first_seed, fold_in, uniform

# (ids, photos), string [n] each, epoch -> float32 [n, side, side, 3] of 0 to 255.
PixelReader = Callable[[tf.Tensor, tf.Tensor, tf.Tensor | int], tf.Tensor]
# Traced once, not for every data set.
traced_read = tf.function(read_photo, autograph=False)


def check_keeps_photos(records: RecordSet) -> None:
    """Raises UserError if the records keep no photos."""
    if not records.manifest.configuration.get("records", {}).get("keep_photos"):
        raise UserError(
            "training.fine_tuning reads photos, but the records in "
            f"{records.directory} hold only their features; build them again with "
            "--set records.keep_photos=true"
        )


def pixel_reader(
    encoder: EncoderInfo, config: TrainingConfig, augmented: bool
) -> PixelReader | None:
    """Returns the function that reads photos; None if the encoder is not trained.

    Args:
        encoder: encoder of the records.
        config: configuration of the run.
        augmented: crop and flip at random, as in training.
    """
    if config.fine_tuning is None:
        return None
    if not augmented:
        return lambda names, photos, epoch: whole_photos(encoder, photos)
    return augmented_photos(encoder, config.fine_tuning, config.seed)


def whole_photos(encoder: EncoderInfo, photos: tf.Tensor) -> tf.Tensor:
    """Reads whole photos, string [n], as the Beam job and exports do."""
    side = photo_side(encoder.input_size, encoder.crops)
    resizing = resizing_of(encoder)
    return tf.map_fn(
        lambda photo: traced_read(photo, side, resizing),
        photos,
        fn_output_signature=pixels(side),
    )


def augmented_photos(
    encoder: EncoderInfo, config: FineTuningConfig, seed: int
) -> PixelReader:
    """Returns the function that reads photos and crops and flips them at random.

    The result is a function of (seed, epoch, photo id).
    """
    size, resizing = encoder.input_size, resizing_of(encoder)

    def read(names: tf.Tensor, photos: tf.Tensor, epoch: tf.Tensor | int) -> tf.Tensor:
        numbers = tf.strings.to_hash_bucket_fast(names, 2**31 - 1)
        base = fold_in(first_seed(seed), epoch)
        seeds = fold_in(base, tf.cast(numbers, tf.int32))
        drawn = uniform(fold_in(seeds[:, tf.newaxis], tf.range(3)))
        return tf.map_fn(read_crop, (photos, drawn), fn_output_signature=pixels(size))

    def read_crop(pair: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        photo, drawn = pair
        whole = traced_read(photo, round(size / config.crop), resizing)
        return augment(whole, size, drawn, config)

    return read


def augment(
    photo: tf.Tensor, size: int, drawn: tf.Tensor, config: FineTuningConfig
) -> tf.Tensor:
    """Crops and flips a photo.

    Args:
        photo: float32 [side, side, 3].
        size: side of the crop, pixels.
        drawn: random numbers from 0 to 1 for top, left and flip, float32 [3].
        config: says whether photos are flipped.

    Returns:
        float32 [size, size, 3].
    """
    room = photo.shape[0] - size
    top, left = tf.unstack(tf.cast(drawn[:2] * (room + 1), tf.int32))
    cut = photo[top : top + size, left : left + size]
    return tf.where((drawn[2] < 0.5) & config.flip, cut[:, ::-1], cut)


def pixels(side: int) -> tf.TensorSpec:
    return tf.TensorSpec([side, side, 3], tf.float32)
