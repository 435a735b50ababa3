"""Fits a photo into the square that a network takes."""

from dataclasses import dataclass

import tensorflow as tf

from records.format.manifest import EncoderInfo

NAMES = {"squash": "", "crop": "centre crop, ", "pad": "pad to a square, "}


@dataclass(frozen=True)
class Resizing:
    """Settings of how a photo becomes a square.

    Attributes:
        fit: `squash` stretches the photo; `crop` takes the largest square at its
            centre; `pad` puts black beside it.
        interpolation: Method of `tf.image.resize`.
        antialias: Whether a photo is filtered before it becomes smaller.
        rounded: Whether resized pixels are whole numbers from 0 to 255. Pillow and
            KerasHub round them; `bicubic` also leaves that range, by up to 20.
    """

    fit: str = "squash"
    interpolation: str = "bilinear"
    antialias: bool = True
    rounded: bool = False

    @property
    def description(self) -> str:
        """A text that differs for different settings, a part of encoders' digests."""
        antialias = ", antialias" if self.antialias else ""
        rounded = ", rounded" if self.rounded else ""
        return f"{NAMES[self.fit]}resize {self.interpolation}{antialias}{rounded}"


SQUASH = Resizing()


def resizing_of(encoder: EncoderInfo) -> Resizing:
    return Resizing(
        encoder.fit, encoder.interpolation, encoder.antialias, encoder.rounded
    )


def resize(pixels: tf.Tensor, side: int, resizing: Resizing = SQUASH) -> tf.Tensor:
    """Resizes pixels, uint8 [height, width, 3], to float32 [side, side, 3].

    The operation takes bytes. A cast before it would need 600 MB more for a photo of 50
    megapixels.
    """
    resized = tf.image.resize(
        make_square(pixels, resizing.fit),
        [side, side],
        resizing.interpolation,
        antialias=resizing.antialias,
    )
    resized = tf.cast(resized, tf.float32)
    if resizing.rounded:
        return tf.clip_by_value(tf.round(resized), 0, 255)
    return resized


def make_square(pixels: tf.Tensor, fit: str) -> tf.Tensor:
    """Crops or pads pixels [height, width, 3] to a square; `squash` keeps them.

    Where an odd number of pixels is to be cut off or added, the result is KerasHub's: a
    crop begins at the lower number, and both sides are padded by it.
    """
    if fit == "squash":
        return pixels
    size = tf.shape(pixels)[:2]
    side = tf.reduce_min(size) if fit == "crop" else tf.reduce_max(size)
    if fit == "crop":
        top, left = tf.unstack((size - side) // 2)
        return pixels[top : top + side, left : left + side]
    beside = (side - size) // 2
    rows, columns = tf.unstack(beside)
    return tf.pad(pixels, [[rows, rows], [columns, columns], [0, 0]])
