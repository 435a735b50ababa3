"""Checks of a custom model, whatever kind of file holds it."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from records.errors import UserError
from tfcap.config.encoder import CustomModelConfig
from tfcap.encoders.backbone import on_one_line

TOLERANCE = 1e-2  # of the largest feature; dropout moves features by far more


def photo_size(
    shape: tf.TensorShape, dtype: tf.DType, config: CustomModelConfig
) -> int:
    """Returns the side of the square photos that a model's input takes, in pixels.

    Raises:
        UserError: the model takes no batches of square photos, or their side differs
            from `input_size`.
    """
    name = config.file_name
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


def refusal(name: str, shape: tf.TensorShape, dtype: tf.DType) -> UserError:
    shown = "of any shape" if shape.rank is None else shape.as_list()
    return UserError(
        f"encoder.model: {name} takes {tf.as_dtype(dtype).name} {shown}; an encoder "
        "takes photos, float [batch, height, width, 3]"
    )


def chosen_size(name: str, fixed: int | None, chosen: int | None) -> int:
    if fixed and chosen and fixed != chosen:
        raise UserError(
            f"encoder.input_size: {chosen}, but {name} takes {fixed} x {fixed} pixels; "
            "leave it out"
        )
    size = fixed or chosen
    if size is None:
        raise UserError(
            f"encoder.model: {name} takes photos of any size; choose one with "
            "encoder.input_size"
        )
    return size


def check_runs(graph: Callable[[tf.Tensor], tf.Tensor], name: str) -> None:
    """Runs an encoder twice on two photos, and once on one of them alone.

    Args:
        graph: photo bytes, string [batch] -> features.
        name: the encoder's key and name, for messages.

    Raises:
        UserError: it fails, or a photo's features are not finite or depend on anything
            but the photo.
    """
    noise = np.random.default_rng(0).integers(0, 256, [64, 64, 3], np.uint8)
    photos = tf.stack([tf.io.encode_jpeg(p) for p in (noise, np.zeros_like(noise))])
    try:
        first, again, alone = (graph(p).numpy() for p in (photos, photos, photos[:1]))
    except Exception as error:
        raise UserError(f"{name} fails: {on_one_line(error)}") from None
    if not np.isfinite(first).all():
        raise UserError(
            f"{name} gives features that are no finite numbers; check "
            "encoder.preprocessing"
        )
    within = TOLERANCE * np.abs(first).max(initial=1e-30)
    if not np.allclose(first, again, 0, within):
        raise varying(name, "when asked again")
    if len(alone) != 1 or not np.allclose(first[:1], alone, 0, within):
        raise varying(name, "beside another photo")


def varying(name: str, when: str) -> UserError:
    return UserError(
        f"{name} gives a photo other features {when}; save it as it is "
        "outside training (training=False)"
    )
