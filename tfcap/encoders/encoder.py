"""The encoder: photo bytes to features, and the digest that identifies it."""

import contextlib
import functools
import hashlib
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from records.errors import UserError
from records.format.manifest import EncoderInfo
from records.photo_header import refusal
from records.storage.files import exists, is_directory
from records.storage.local_copy import local_copy
from records.tensorflow_logging import without_operation
from tfcap.config.encoder import (
    CustomModelConfig,
    EncoderConfig,
    NetworkConfig,
    PresetConfig,
)
from tfcap.encoders import (
    crops,
    custom_model,
    keras_applications,
    keras_file,
    preset,
    saved_model,
)
from tfcap.encoders.backbone import Backbone, on_one_line
from tfcap.encoders.precision import in_precision
from tfcap.images.decoding import read_photo
from tfcap.images.resizing import SQUASH, Resizing
from tfcap.tensorflow_internals import convert_variables_to_constants_v2

# This text is part of the digest and must not change, or all records would have to be
# built again. It does not name GIFs of several frames, BMP and EXIF orientation, which
# `tfcap.images` also reads.
READING = "decode_jpeg INTEGER_ACCURATE, 3 channels"
LOADING = threading.Lock()


@dataclass(frozen=True)
class Encoder:
    """A frozen encoder.

    >>> from tfcap import load_config
    >>> from tfcap.encoders import load_encoder
    >>> encoder = load_encoder(load_config("mine.yaml").encoder)
    >>> photo = open("photos/dog.jpg", "rb").read()
    >>> features, bad = encoder.encode([photo, b"no photo"])
    >>> features.shape, [index for index, reason in bad]
    ((1, 32), [1])

    Attributes:
        graph: Photo bytes, string [batch] -> features, float32 [batch, *shape].
            Variables are folded into constants (1.35 times as fast as the Keras model).
            A photo that cannot be decoded fails the batch.
        network: Pixels, float32 [batch, side, side, 3] of 0 to 255 -> [features], as a
            concrete function without variables.
        side: Height and width of the pixels.
        shape: Shape of one photo's features.
        info: Description for the manifest. Its digest identifies the encoder.
        resizing: How a photo becomes the square of pixels.
        exact: Loads the same encoder in float32; None for an encoder in float32.
    """

    graph: Callable[[tf.Tensor], tf.Tensor]
    network: Callable[[tf.Tensor], list[tf.Tensor]]
    side: int
    shape: tuple[int, ...]
    info: EncoderInfo
    resizing: Resizing = SQUASH
    exact: Callable[[], "Encoder"] | None = None

    def encode(
        self, photos: Sequence[bytes]
    ) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """Encodes a batch; a photo that cannot be decoded does not fail the others.

        Returns:
            Features float32 [readable photos, *shape] in order, and (index, reason) of
            each photo that could not be decoded.
        """
        if not any(map(refusal, photos)):
            with contextlib.suppress(tf.errors.InvalidArgumentError):
                return self.graph(tf.constant(photos, tf.string)).numpy(), []
        reasons = [unreadable(photo, self.side) for photo in photos]
        bad = [(i, reason) for i, reason in enumerate(reasons) if reason]
        good = [photo for photo, reason in zip(photos, reasons) if not reason]
        if not good:
            return np.zeros([0, *self.shape], np.float32), bad
        return self.graph(tf.constant(good, tf.string)).numpy(), bad


def unreadable(photo: bytes, side: int) -> str | None:
    """Returns why the graph cannot read a photo, or None if it can.

    A photo that its header already rules out is not decoded.

    >>> from tfcap.encoders import unreadable
    >>> unreadable(b"no photo", side=224)
    "not an image: begins with b'no photo'"
    >>> unreadable(open("photos/dog.jpg", "rb").read(), side=224) is None
    True
    """
    if refused := refusal(photo):
        return refused
    try:
        read_photo(tf.constant(photo), side)
    except tf.errors.InvalidArgumentError as error:
        return without_operation(error.message)
    return None


def load_encoder(config: EncoderConfig) -> Encoder:
    """Builds the encoder once per process and configuration.

    A lock keeps the threads of a worker from building it at the same time, which would
    draw random weights from one stream and load the network twice.

    >>> from tfcap.config.encoder import NetworkConfig
    >>> from tfcap.encoders import load_encoder
    >>> config = NetworkConfig(name="mobilenet", weights="random", input_size=32)
    >>> load_encoder(config).shape
    (1024,)

    Raises:
        UserError: A network, layer, signature or file does not exist, weights cannot be
            loaded, or a custom model does not fit.
    """
    with LOADING:
        return loaded(config)


@functools.lru_cache(maxsize=2)
def loaded(config: EncoderConfig) -> Encoder:
    network = load_network(config)
    if isinstance(config, NetworkConfig):
        encoder = assemble(network, config)
    else:
        encoder = assemble_custom(network, config, f"encoder.{config.file_key}")
    if config.precision == "float32":
        return encoder
    in_float32 = config.model_copy(update={"precision": "float32"})
    return replace(encoder, exact=lambda: load_encoder(in_float32))


def load_network(config: EncoderConfig) -> Backbone:
    return in_precision(load_float32(config), config)


def load_float32(config: EncoderConfig) -> Backbone:
    if isinstance(config, NetworkConfig):
        return keras_applications.load(config)
    if isinstance(config, PresetConfig):
        return preset.load(config)
    return load_custom(config)


def assemble_custom(network: Backbone, config: EncoderConfig, where: str) -> Encoder:
    """Assembles a custom model or a preset, which may fail in any way.

    Args:
        network: the model.
        config: its settings.
        where: the key that names it, for messages.
    """
    try:
        encoder = assemble(network, config)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{where}: {network.name} cannot be frozen for photos of "
            f"{network.size} x {network.size} pixels: {on_one_line(error)}"
        ) from None
    custom_model.check_runs(encoder.graph, f"{where}: {network.name}")
    return encoder


def load_custom(config: CustomModelConfig) -> Backbone:
    """Loads the network from a custom file or directory."""
    if not exists(config.model):
        raise UserError(
            f"encoder.model: there is nothing at {config.model}; expected a .keras "
            "file or the directory of a SavedModel. Where it was moved, say so with "
            "--set encoder.model=PATH; for tfcap export it is --encoder_model PATH"
        )
    load = saved_model.load if is_directory(config.model) else keras_file.load
    with local_copy(config.model) as path:
        return load(config, path)


def assemble(network: Backbone, config: EncoderConfig) -> Encoder:
    """Freezes the network with all steps before and after it."""
    frozen = freeze(network, config)
    if len(frozen.inputs) > 1:
        raise UserError(
            f"encoder.{config.file_key}: {network.name} holds a table or another state "
            "that is no weight; it cannot be frozen"
        )
    shape = frozen.outputs[0].shape[1:]
    if not shape.is_fully_defined():
        known = "unknown" if shape.rank is None else list(shape)
        raise UserError(
            f"encoder.{config.file_key}: the features of {network.name} have no shape "
            f"that is the same for all photos: {known}"
        )
    side = crops.photo_side(network.size, config.crops)
    return Encoder(
        graph=reading(side, network.resizing, frozen),
        network=frozen,
        side=side,
        shape=tuple(shape),
        info=describe(network, config),
        resizing=network.resizing,
    )


def freeze(network: Backbone, config: EncoderConfig) -> Any:
    """Returns pixels -> features as one graph without variables."""
    side = crops.photo_side(network.size, config.crops)

    @tf.function(
        input_signature=[tf.TensorSpec([None, side, side, 3], tf.float32)],
        autograph=False,
    )
    def encode(pixels: tf.Tensor) -> tf.Tensor:
        return features_of_photos(network, config, pixels)

    return convert_variables_to_constants_v2(encode.get_concrete_function())


def features_of_photos(
    network: Backbone, config: EncoderConfig, pixels: tf.Tensor
) -> tf.Tensor:
    """Returns the features of pixels [batch, side, side, 3]; see `photo_side`."""
    run = functools.partial(features_of_view, network, config)
    return crops.average(run, pixels, network.size, config.crops, config.flip)


def features_of_view(
    network: Backbone,
    config: EncoderConfig,
    pixels: tf.Tensor,
    mirrored: tf.Tensor | None = None,
) -> tf.Tensor:
    """Returns the features of a crop [batch, size, size, 3]."""
    features = tf.cast(network.run(network.scale(pixels)), tf.float32)
    return pool(crops.unmirror(features, mirrored), config.pooling)


def reading(
    side: int, resizing: Resizing, frozen: Any
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns photo bytes -> features as a graph."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def encode(photos: tf.Tensor) -> tf.Tensor:
        shape = tf.TensorSpec([side, side, 3], tf.float32)
        pixels = tf.map_fn(
            lambda photo: read_photo(photo, side, resizing),
            photos,
            fn_output_signature=shape,
        )
        # A frozen function returns a list; its only output is the features.
        return frozen(pixels)[0]

    return encode


def pool(features: tf.Tensor, pooling: str) -> tf.Tensor:
    """Pools features [batch, rows, columns, channels], or [batch, n] without a grid."""
    rank = features.shape.rank
    if rank == 4 and pooling == "avg":
        return tf.reduce_mean(features, [1, 2])
    if (rank == 2 and pooling != "grid") or (rank == 4 and pooling == "grid"):
        return features
    if rank is not None and rank > 2 and pooling == "flatten":
        return tf.reshape(features, [-1, features.shape[1:].num_elements()])
    raise UserError(
        f"encoder.pooling: {pooling!r} needs a layer of [rows, columns, channels]; "
        f"this one gives {features.shape.as_list()[1:] if rank else 'no known shape'}"
    )


def describe(network: Backbone, config: EncoderConfig) -> EncoderInfo:
    """Describes the encoder; its digest covers the graph's settings and weights."""
    resizing = network.resizing
    settings = {
        "layer": config.layer,
        "pooling": config.pooling,
        "input_size": network.size,
        "preprocessing": f"{READING}; {resizing.description}; {network.scaling}",
    }
    digest = digest_of(network, config, settings)
    in_float32 = None
    if network.precision != "float32":
        float32 = config.model_copy(update={"precision": "float32"})
        in_float32 = digest_of(network, float32, settings)
    return EncoderInfo(
        kind=network.kind,
        name=network.name,
        weights=network.weights,
        signature=config.signature,
        crops=config.crops,
        flip=config.flip,
        fit=resizing.fit,
        interpolation=resizing.interpolation,
        antialias=resizing.antialias,
        rounded=resizing.rounded,
        precision=network.precision,
        float32_digest=in_float32,
        digest=digest,
        **settings,
    )


def digest_of(network: Backbone, config: EncoderConfig, settings: dict) -> str:
    """Returns SHA-256 over settings and weights, but not over a custom file's name.

    Some settings count only if they differ from their default, so that encoders without
    them keep their digest.
    """
    is_custom = network.kind != keras_applications.KIND
    later = {"signature": None, "crops": 1, "flip": False, "precision": "float32"}
    used = {k: getattr(config, k) for k, v in later.items() if getattr(config, k) != v}
    name = {"name": network.kind if is_custom else network.name}
    content = json.dumps({**name, **settings, **used}, sort_keys=True)
    digest = hashlib.sha256(content.encode())
    for part in network.contents:
        digest.update(part)
    return digest.hexdigest()
