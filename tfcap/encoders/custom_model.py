"""What is asked of a model of one's own, whatever kind of file it is in."""

import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from records.errors import UserError
from tfcap.config.encoder import EncoderConfig
from tfcap.encoders.backbone import on_one_line

TOLERANCE = 1e-2  # of the largest feature; dropout moves features by far more


def photo_size(shape: tf.TensorShape, dtype: tf.DType, config: EncoderConfig) -> int:
    """The pixels squared that a model takes, by the shape and dtype of its input.

    Raises:
        UserError: it takes no batches of square photos, or not of `input_size`.
    """
    name = os.path.basename(config.model.rstrip("/"))
    photos = tf.TensorShape([None, None, None, 3])
    if shape.rank is None or not shape.is_compatible_with(photos):
        raise refusal(name, shape, dtype)
    if not tf.as_dtype(dtype).is_floating:
        raise refusal(name, shape, dtype)
    batch, height, width, _ = shape
    if batch is not None:
        raise UserError(
            f"encoder.model: {name} takes batches of {batch} alone; save it with a "
            "batch of any size"
        )
    if height != width:
        raise UserError(
            f"encoder.model: {name} takes {height} x {width} pixels; expected as many "
            "rows as columns"
        )
    return chosen_size(name, height, config.input_size)


def refusal(name: str, shape: tf.TensorShape, dtype) -> UserError:
    shown = "of any shape" if shape.rank is None else shape.as_list()
    return UserError(
        f"encoder.model: {name} takes {tf.as_dtype(dtype).name} {shown}; an encoder "
        "takes photos, float [batch, height, width, 3]"
    )


def chosen_size(name: str, own: int | None, asked: int | None) -> int:
    if own is None and asked is None:
        raise UserError(
            f"encoder.model: {name} takes photos of any size; choose one with "
            "encoder.input_size"
        )
    if own and asked and own != asked:
        raise UserError(
            f"encoder.input_size: {asked}, but {name} takes {own} x {own} pixels; "
            "leave it out"
        )
    return own or asked


def check_runs(graph: Callable[[tf.Tensor], tf.Tensor], name: str) -> None:
    """Runs an encoder on two photos, again, and on one of them alone.

    Raises:
        UserError: a photo's features are not finite, or depend on anything else.
    """
    noise = np.random.default_rng(0).integers(0, 256, [64, 64, 3], np.uint8)
    photos = tf.stack([tf.io.encode_jpeg(p) for p in (noise, np.zeros_like(noise))])
    try:
        first, again, alone = (graph(p).numpy() for p in (photos, photos, photos[:1]))
    except Exception as error:
        raise UserError(f"encoder.model: {name} fails: {on_one_line(error)}") from None
    if not np.isfinite(first).all():
        raise UserError(
            f"encoder.model: {name} gives features that are no finite numbers; check "
            "encoder.preprocessing"
        )
    within = TOLERANCE * np.abs(first).max(initial=1e-30)
    if not np.allclose(first, again, 0, within):
        raise varying(name, "when asked again")
    if len(alone) != 1 or not np.allclose(first[:1], alone, 0, within):
        raise varying(name, "beside another photo")


def varying(name: str, when: str) -> UserError:
    return UserError(
        f"encoder.model: {name} gives a photo other features {when}; save it as it is "
        "outside training (training=False)"
    )
