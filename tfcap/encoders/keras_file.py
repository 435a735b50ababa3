"""An encoder from a `.keras` file.

The file is never trusted with code: Keras reads it in its safe mode, which loads layers
of Keras itself and of classes registered in this process, those of KerasHub among them,
and no Lambda.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf

from records.errors import UserError
from tfcap.config.encoder import CustomModelConfig
from tfcap.encoders.backbone import (
    Backbone,
    cut,
    on_one_line,
    resizing_for,
    scaling_of,
    with_one_output,
)
from tfcap.encoders.custom_model import photo_size
from tfcap.encoders.hub import import_keras_hub

KIND = "keras_file"
CONFIG, METADATA = "config.json", "metadata.json"
EXPORT = "save it as a SavedModel instead, model.export('DIR'), and name that directory"


def load(config: CustomModelConfig, path: str) -> Backbone:
    """Loads the model of a file on this machine's disk, cut at `config.layer`.

    Raises:
        UserError: the file cannot be read, holds no model or one with Python code, or
            the model takes no photos.
    """
    name = config.file_name
    if config.signature:
        raise UserError(f"encoder.signature: {name} is no SavedModel; leave it out")
    architecture, digest = read_archive(path, name)
    if needs_keras_hub(architecture):
        import_keras_hub()
    model = open_model(path, architecture, name)
    refuse_other_inputs(model, name)
    model = with_one_output(cut(model, config.layer, name), name)
    scaling, scale = scaling_of(config.photo_preprocessing)
    return Backbone(
        kind=KIND,
        name=name,
        weights=name,
        size=photo_size(tf.TensorShape(model.input.shape), model.input.dtype, config),
        scaling=scaling,
        scale=scale,
        run=lambda pixels: model(pixels, training=False),
        contents=[digest],
        model=model,
        resizing=resizing_for(config),
    )


def read_archive(path: str, name: str) -> tuple[Any, bytes]:
    """Returns the model's architecture, and a digest of architecture and weights.

    The digest does not cover the date of saving and the file's name.
    """
    if not name.endswith(".keras"):
        raise UserError(
            f"encoder.model: {name} is neither a .keras file nor the directory of a "
            "SavedModel; weights of a network by name go to encoder.weights, an older "
            "model file (.h5) must be saved again: model.save('FILE.keras')"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(CONFIG)), digest_of(archive)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise UserError(
            f"encoder.model: {name} is not what Keras saves, or is damaged: "
            f"{on_one_line(error)}"
        ) from None
    except OSError as error:
        raise UserError(
            f"encoder.model: cannot read {path}: {error.strerror}"
        ) from None


def digest_of(archive: zipfile.ZipFile) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(archive.namelist()):
        if name != METADATA:
            digest.update(name.encode() + b"\0")
            digest.update(archive.read(name))
    return digest.digest()


def open_model(path: str, architecture: Any, name: str) -> keras.Model:
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        why = why_not_loaded(architecture) or on_one_line(error)
        raise UserError(f"encoder.model: {name} cannot be loaded: {why}") from None
    if not isinstance(model, keras.Model):
        raise UserError(
            f"encoder.model: {name} holds a {type(model).__name__}, not a model"
        )
    return model


def needs_keras_hub(architecture: Any) -> bool:
    modules = (part.get("module") or "" for part in keras_objects(architecture))
    return any(module.partition(".")[0] == "keras_hub" for module in modules)


def why_not_loaded(architecture: Any) -> str | None:
    """Names the first layer that Keras does not load; None if all can be loaded."""
    parts = list(keras_objects(architecture))
    for part in parts:
        if part["class_name"] == "Lambda":
            layer = part.get("config", {}).get("name")
            return f"its layer {layer!r} is a Lambda, which is Python code; {EXPORT}"
    for part in parts:
        if part["class_name"] == "function":
            return f"it needs the function {part['config']} of your own code; {EXPORT}"
        if "module" in part and not (part["module"] or "").startswith("keras"):
            return f"it needs the class {part['class_name']} of your own code; {EXPORT}"
    return None


def keras_objects(content: Any) -> Iterator[dict[str, Any]]:
    """Yields every object in the architecture, the outer before the inner ones."""
    if isinstance(content, dict):
        if "class_name" in content and "config" in content:
            yield content
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from keras_objects(part)


def refuse_other_inputs(model: keras.Model, name: str) -> None:
    try:
        inputs = model.inputs
    except (AttributeError, ValueError):  # a Sequential that was never built
        inputs = None
    if not inputs:
        raise UserError(
            f"encoder.model: {name} does not say what it takes; begin it with a "
            f"keras.Input, or {EXPORT}"
        )
    if len(inputs) > 1:
        names = ", ".join(tensor.name for tensor in inputs)
        raise UserError(
            f"encoder.model: {name} takes {len(inputs)} inputs ({names}); an encoder "
            "takes photos alone"
        )
