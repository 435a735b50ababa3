"""Several views of a photo: crops and mirror images, whose features are averaged.

Source: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep
Convolutional Neural Networks", NIPS 2012, section 4.1: four corners and the centre of
224 x 224 pixels, cut out of 256 x 256, and their mirror images: 10 views.
"""

import itertools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

ENLARGED = 256 / 224
# A view [batch, size, size, 3], and whether it is mirrored, bool [], None for no ->
# features [batch, ...].
ViewFunction = Callable[[tf.Tensor, tf.Tensor | None], tf.Tensor]


def photo_side(size: int, crops: int) -> int:
    """Returns the side that a photo is resized to before views are cut out."""
    return size if crops == 1 else round(size * ENLARGED)


def average(
    run: ViewFunction, photos: tf.Tensor, size: int, crops: int, flip: bool
) -> tf.Tensor:
    """Returns the mean of the features of all views.

    Views run one after the other, so that memory does not grow with their number.

    Args:
        run: returns the features of a view.
        photos: float32 [batch, side, side, 3], see `photo_side`.
        size: side of a view, in pixels.
        crops: 1 or 5.
        flip: add the mirror image of each crop.
    """
    if crops == 1 and not flip:
        return run(photos, None)
    side = photo_side(size, crops)
    rows, columns, mirrored = map(np.array, zip(*views(size, side, crops, flip)))

    def features(view: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
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
    """Returns the photo's rows and columns in each view, and whether it is mirrored."""
    pixels, mirrored = np.arange(size), [False, True] if flip else [False]
    return [
        (top + pixels, left + (pixels[::-1] if mirror else pixels), mirror)
        for (top, left), mirror in itertools.product(
            corners(side - size, crops), mirrored
        )
    ]


def corners(room: int, crops: int) -> list[tuple[int, int]]:
    """Returns the top left corners of crops in a photo that is `room` pixels larger.

    >>> corners(32, 5)
    [(0, 0), (0, 32), (32, 0), (32, 32), (16, 16)]
    """
    if crops == 1:
        return [(0, 0)]
    return [*itertools.product((0, room), (0, room)), (room // 2, room // 2)]


def unmirror(features: tf.Tensor, mirrored: tf.Tensor | None) -> tf.Tensor:
    """Puts the cells of a mirror image where they are in the photo.

    Changes only features [batch, rows, columns, channels].
    """
    if mirrored is None or features.shape.rank != 4:
        return features
    columns = tf.range(tf.shape(features)[2])
    return tf.gather(features, tf.where(mirrored, columns[::-1], columns), axis=2)
