"""Several views of a photo: crops and mirror images, whose features are averaged.

Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", NIPS 2012, section 4.1: four corners and the centre of
224 x 224 pixels, cut out of 256 x 256, and their mirror images: 10 views.
"""

import itertools

import numpy as np
import tensorflow as tf

from tfcap.encoders.backbone import TensorFunction

ENLARGED = 256 / 224


def photo_side(size: int, crops: int) -> int:
    """The pixels squared that a photo is resized to before views are cut out."""
    return size if crops == 1 else round(size * ENLARGED)


def average(
    run: TensorFunction, photos: tf.Tensor, size: int, crops: int, flip: bool
) -> tf.Tensor:
    """The mean of the features of all views.

    Views are run one after the other: they take time, not memory.

    Args:
        run: a view [batch, size, size, 3] and whether it is mirrored, bool [] ->
            features [batch, ...].
        photos: float32 [batch, side, side, 3], see `photo_side`.
        crops: 1 or 5.
        flip: take the mirror image of each crop as well.
    """
    if crops == 1 and not flip:
        return run(photos, None)
    side = photo_side(size, crops)
    rows, columns, mirrored = map(np.array, zip(*views(size, side, crops, flip)))

    def features(view):
        rows, columns, mirrored = view
        cells = tf.gather(tf.gather(photos, rows, axis=1), columns, axis=2)
        return run(cells, mirrored)

    each = tf.map_fn(
        features,
        (rows, columns, mirrored),
        fn_output_signature=tf.float32,
        parallel_iterations=1,
    )
    return tf.reduce_mean(each, 0)


def views(
    size: int, side: int, crops: int, flip: bool
) -> list[tuple[np.ndarray, np.ndarray, bool]]:
    """Of each view: which rows and columns of the photo, and whether it is mirrored."""
    found = []
    for (top, left), mirrored in itertools.product(
        corners(side - size, crops), (False, True) if flip else (False,)
    ):
        rows, columns = top + np.arange(size), left + np.arange(size)
        found.append((rows, columns[::-1] if mirrored else columns, mirrored))
    return found


def corners(room: int, crops: int) -> list[tuple[int, int]]:
    """Top left corners of the crops in a photo that is `room` pixels larger.

    >>> corners(32, 5)
    [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    """
    if crops == 1:
        return [(0, 0)]
    return [*itertools.product((0, room), (0, room)), (room // 2, room // 2)]


def unmirror(features: tf.Tensor, mirrored: tf.Tensor | None) -> tf.Tensor:
    """Puts the cells of a mirror image back where they are in the photo.

    Features that are no [batch, rows, columns, channels] stay as they are.
    """
    if mirrored is None or features.shape.rank != 4:
        return features
    columns = tf.range(tf.shape(features)[2])
    return tf.gather(features, tf.where(mirrored, columns[::-1], columns), axis=2)
