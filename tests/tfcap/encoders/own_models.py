"""Small models of one's own, saved in the test."""

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from tfcap.config.encoder import CustomModelConfig

SIZE = 32


def network(
    shape=(SIZE, SIZE, 3), seed: int = 0, kernel: int = 3, dtype: str = "float32"
) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input(shape, dtype=dtype, name="pixels"),
            keras.layers.Conv2D(4, kernel, 4, "same", name="early"),
            keras.layers.Conv2D(5, 3, 4, "same", name="late"),
        ],
        name="small",
    )


def save(folder: Path, model: keras.Model | None = None, name="own.keras") -> str:
    folder.mkdir(exist_ok=True)
    (model or network()).save(folder / name)
    return str(folder / name)


def save_function(
    folder: Path,
    function: Callable,
    shape=(None, SIZE, SIZE, 3),
    dtype=tf.float32,
    module: tf.Module | None = None,
) -> str:
    """Saves a function of pixels as the only signature of a SavedModel."""
    module = module or tf.Module()
    spec = tf.TensorSpec(shape, dtype, "pixels")
    module.run = tf.function(function, input_signature=[spec], autograph=False)
    tf.saved_model.save(module, str(folder), signatures=module.run)
    return str(folder)


def own(model: str, **settings) -> CustomModelConfig:
    return CustomModelConfig(model=model, **{"preprocessing": "unit", **settings})
