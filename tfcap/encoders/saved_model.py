"""An encoder from a SavedModel: one signature, from float pixels to features.

A SavedModel is a program of TensorFlow operations, which may read and write files. Use
one only from people from whom you would take a program.
"""

import hashlib
import os
from typing import Any

import tensorflow as tf

from records.errors import UserError
from records.storage.files import as_utf8, exists, file_digest, file_sizes
from tfcap.config.encoder import CustomModelConfig
from tfcap.encoders.backbone import Backbone, on_one_line, resizing_for, scaling_of
from tfcap.encoders.custom_model import photo_size

KIND = "saved_model"
DEFAULT = "serving_default"
GRAPH = ("saved_model.pb", "saved_model.pbtxt")


def load(config: CustomModelConfig, path: str) -> Backbone:
    """Loads a signature of a SavedModel on this machine's disk.

    Raises:
        UserError: there is no SavedModel, it lacks the signature or the output, or the
            signature takes no photos.
    """
    name = config.file_name
    loaded = open_directory(path, name)
    signature = find_signature(loaded, config.signature or DEFAULT, name)
    photos, spec = only_input(signature, name)
    output = find_output(signature, config.layer, name)
    scaling, scale = scaling_of(config.photo_preprocessing)

    def run(pixels: tf.Tensor) -> tf.Tensor:
        # The closure keeps `loaded`, which owns the variables.
        assert loaded is not None
        return signature(**{photos: tf.cast(pixels, spec.dtype)})[output]

    return Backbone(
        kind=KIND,
        name=name,
        weights=name,
        size=photo_size(spec.shape, spec.dtype, config),
        scaling=scaling,
        scale=scale,
        run=run,
        contents=[digest_of(path)],
        resizing=resizing_for(config),
    )


def open_directory(path: str, name: str) -> Any:
    if not is_saved_model(path):
        inside = [n for n in os.listdir(path) if is_saved_model(os.path.join(path, n))]
        hint = f"; there is one in {os.path.join(name, max(inside))}" if inside else ""
        raise UserError(
            f"encoder.model: {name} is not a SavedModel: it has no {GRAPH[0]}{hint}"
        )
    try:
        return tf.saved_model.load(path)
    except Exception as error:
        raise UserError(
            f"encoder.model: {name} cannot be loaded: {on_one_line(error)}"
        ) from None


def is_saved_model(path: str) -> bool:
    return any(exists(os.path.join(path, graph)) for graph in GRAPH)


def find_signature(loaded: Any, wanted: str, name: str) -> Any:
    signatures = getattr(loaded, "signatures", {})
    if wanted not in signatures:
        raise UserError(
            f"encoder.signature: {name} has no signature {wanted!r}; it has "
            f"{', '.join(sorted(signatures)) or 'none'}"
        )
    return signatures[wanted]


def only_input(signature: Any, name: str) -> tuple[str, tf.TensorSpec]:
    inputs = signature.structured_input_signature[1]
    if len(inputs) != 1:
        raise UserError(
            f"encoder.model: {name} takes {len(inputs)} inputs "
            f"({', '.join(sorted(inputs))}); an encoder takes photos alone"
        )
    return next(iter(inputs.items()))


def find_output(signature: Any, wanted: str | None, name: str) -> str:
    outputs = signature.structured_outputs
    if wanted is None and len(outputs) == 1:
        return next(iter(outputs))
    if wanted is None or wanted not in outputs:
        asked = "several outputs" if wanted is None else f"no output {wanted!r}"
        raise UserError(
            f"encoder.layer: {name} has {asked}; name one of "
            f"{', '.join(sorted(outputs))}"
        )
    return wanted


def digest_of(path: str) -> bytes:
    """Returns a digest of graph, weights and assets, without dates and fingerprints."""
    digest = hashlib.sha256()
    for name in file_sizes(path, nested=True):
        if name in GRAPH or name.split(os.sep)[0] in ("variables", "assets"):
            line = f"{as_utf8(name)} {file_digest(os.path.join(path, name))}\n"
            digest.update(line.encode())
    return digest.digest()
