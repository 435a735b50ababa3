"""The encoder: a function from encoded photo bytes to features, as a frozen graph.

Decoding, resizing and preprocessing are in the graph, so that the Beam job, the
evaluation and the exported SavedModel all see a photo alike.
"""

import difflib
import functools
import hashlib
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from records.errors import UserError
from records.manifest import EncoderInfo
from tfcap.config import EncoderConfig

# The input size of the networks that were not trained at 224 x 224.
INPUT_SIZES = {
    "efficientnet_b1": 240, "efficientnet_b2": 260, "efficientnet_b3": 300,
    "efficientnet_b4": 380, "efficientnet_b5": 456, "efficientnet_b6": 528,
    "efficientnet_b7": 600, "efficientnet_v2b1": 240, "efficientnet_v2b2": 260,
    "efficientnet_v2b3": 300, "efficientnet_v2s": 384, "efficientnet_v2m": 480,
    "efficientnet_v2l": 480, "inception_resnet_v2": 299, "inception_v3": 299,
    "nasnet_large": 331, "xception": 299,
}  # fmt: skip
PREPROCESSING = (
    "decode_jpeg INTEGER_ACCURATE, 3 channels; resize bilinear, antialias; "
    "keras preprocess_input"
)


@dataclass(frozen=True)
class Encoder:
    """A frozen encoder.

    Attributes:
        graph: string [batch] of photo bytes -> float32 [batch, *shape], variables
            folded into constants (1.35 times as fast as the Keras model).
        shape: of one photo's features.
        info: what the manifest keeps; its digest tells encoders apart.
    """

    graph: Callable[[tf.Tensor], tf.Tensor]
    shape: tuple[int, ...]
    info: EncoderInfo

    def encode(
        self, photos: Sequence[bytes]
    ) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """Encodes a batch; photos that cannot be decoded do not lose the others.

        Returns:
            Features float32 [readable photos, *shape] in order, and (index, reason) of
            each photo that could not be decoded.
        """
        try:
            return self.graph(tf.constant(photos, tf.string)).numpy(), []
        except tf.errors.InvalidArgumentError:
            return self._encode_readable(photos)

    def _encode_readable(self, photos):
        reasons = [(i, undecodable(photo)) for i, photo in enumerate(photos)]
        bad = [(i, reason) for i, reason in reasons if reason]
        good = [photo for photo, (_, reason) in zip(photos, reasons) if not reason]
        if not good:
            return np.zeros([0, *self.shape], np.float32), bad
        return self.graph(tf.constant(good, tf.string)).numpy(), bad


def decode_photo(photo: tf.Tensor) -> tf.Tensor:
    """Photo bytes, string [] -> pixels, uint8 [height, width, 3].

    Despite its name the operation reads PNG and GIF (of one frame) as well, and turns
    grey and CMYK into RGB. Its default `dct_method` differs from Pillow's in most
    pixels and moves pooled features by 7 %.
    """
    return tf.io.decode_jpeg(photo, channels=3, dct_method="INTEGER_ACCURATE")


def undecodable(photo: bytes) -> str | None:
    """Why a photo cannot be decoded; None if it can."""
    try:
        decode_photo(tf.constant(photo))
    except tf.errors.InvalidArgumentError as error:
        return error.message.split("}} ")[-1].split(" [Op:")[0]
    return None


@functools.lru_cache(maxsize=2)
def load_encoder(config: EncoderConfig) -> Encoder:
    """Builds the encoder, once per process and configuration.

    Raises:
        UserError: unknown network or layer, or weights that cannot be had.
    """
    network = find_network(config.name)
    size = config.input_size or INPUT_SIZES.get(config.name, 224)
    model = pool(cut(build(network, config, size), config), config.pooling)
    preprocess = sys.modules[network.__module__].preprocess_input
    return Encoder(
        graph=freeze(model, preprocess, size),
        shape=tuple(model.output.shape[1:]),
        info=describe(model, config, size),
    )


def find_network(name: str) -> Callable[..., keras.Model]:
    """Finds a `keras.applications` constructor by its snake-case name."""
    known = {}
    for module_name in dir(keras.applications):
        module = getattr(keras.applications, module_name)
        if hasattr(module, "preprocess_input"):
            known |= {_plain(n): getattr(module, n) for n in dir(module) if n[0] != "_"}
    network = known.get(_plain(name))
    if network is None or not name.islower():
        near = difflib.get_close_matches(_plain(name), known, n=3)
        raise UserError(
            f"encoder.name: keras.applications has no {name!r} (write it in snake case)"
            + (f"; near it: {', '.join(near)}" if near else "")
        )
    return network


def build(network, config: EncoderConfig, size: int) -> keras.Model:
    """The network without its classifier, with the weights asked for."""
    weights = None if config.weights == "random" else config.weights
    if weights not in (None, "imagenet") and not os.path.isfile(weights):
        raise UserError(
            f"encoder.weights: no file {weights!r}; expected 'imagenet', 'random' or a "
            ".weights.h5 file"
        )
    keras.utils.set_random_seed(config.seed)
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers it leaves as random as they are.
            warnings.filterwarnings("error", "Skipping nested container")
            shape = (size, size, 3)
            return network(weights=weights, include_top=False, input_shape=shape)
    except Exception as error:
        raise UserError(_why_no_weights(config, error)) from None


def _why_no_weights(config: EncoderConfig, error: Exception) -> str:
    why = " ".join(str(error).split())[:200]
    if config.weights == "imagenet":
        return (
            f"the ImageNet weights of {config.name} could not be downloaded ({why}); "
            "pass a file with --set encoder.weights=FILE.weights.h5"
        )
    return f"encoder.weights: {config.weights} does not fit {config.name}: {why}"


def cut(model: keras.Model, config: EncoderConfig) -> keras.Model:
    """Cuts the network at `config.layer`."""
    if config.layer is None:
        return model
    names = [layer.name for layer in model.layers]
    if config.layer not in names:
        near = difflib.get_close_matches(config.layer, names, n=3, cutoff=0.3)
        raise UserError(
            f"encoder.layer: {config.name} has no layer {config.layer!r}; "
            f"near it: {', '.join(near) or ', '.join(names[-3:])}"
        )
    return keras.Model(model.input, model.get_layer(config.layer).output)


def pool(model: keras.Model, pooling: str) -> keras.Model:
    """Reduces the last layer's [rows, columns, channels] as asked."""
    if pooling == "grid":
        return model
    if len(model.output.shape) != 4:
        raise UserError(
            f"encoder.pooling: {pooling!r} needs a layer of [rows, columns, channels]; "
            f"this one gives {list(model.output.shape[1:])}"
        )
    layer = (
        keras.layers.GlobalAveragePooling2D
        if pooling == "avg"
        else keras.layers.Flatten
    )
    return keras.Model(model.input, layer()(model.output))


def freeze(model: keras.Model, preprocess, size: int) -> Callable:
    """Photo bytes -> features as one graph without variables."""

    def read(photo):
        pixels = tf.cast(decode_photo(photo), tf.float32)
        return tf.image.resize(pixels, [size, size], "bilinear", antialias=True)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def encode(photos):
        shape = tf.TensorSpec([size, size, 3], tf.float32)
        pixels = tf.map_fn(read, photos, fn_output_signature=shape)
        return tf.cast(model(preprocess(pixels), training=False), tf.float32)

    frozen = convert_variables_to_constants_v2(encode.get_concrete_function())
    # A frozen function returns a list; its only output is the features.
    return lambda photos: frozen(photos)[0]


def describe(model: keras.Model, config: EncoderConfig, size: int) -> EncoderInfo:
    """What the manifest keeps; the digest covers the graph's settings and weights."""
    settings = {
        "name": config.name,
        "layer": config.layer,
        "pooling": config.pooling,
        "input_size": size,
        "preprocessing": PREPROCESSING,
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for weight in model.get_weights():
        digest.update(np.ascontiguousarray(weight))
    return EncoderInfo(
        **settings,
        weights=os.path.basename(config.weights),
        digest=digest.hexdigest(),
    )


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
