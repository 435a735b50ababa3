"""The precision in which an encoder computes; its weights stay float32.

bfloat16 and float16 save time where a device has them, and cost digits of the features:
`python -m records verify --sample` says how many.
"""

from dataclasses import replace

import keras

from records.errors import UserError
from tfcap.config.encoder import EncoderConfig
from tfcap.encoders.backbone import Backbone


def in_precision(network: Backbone, config: EncoderConfig) -> Backbone:
    """Returns the network as it computes in `config.precision`.

    Raises:
        UserError: It is a SavedModel, whose graph is not changed.
    """
    if config.precision == "float32":
        return network
    if network.model is None:
        raise UserError(
            f"encoder.precision: {network.name} is a SavedModel, which computes as it "
            "was saved; leave it out, or save the model as a .keras file"
        )
    set_precision(network.model, config.precision)
    return replace(network, precision=config.precision)


def set_precision(model: keras.Model, precision: str) -> None:
    """Lets all layers of a model cast their inputs and weights to a precision.

    What a layer must compute in float32, such as a softmax, it still does.
    """
    policy = keras.DTypePolicy(f"mixed_{precision}")
    for layer in nested_layers(model):
        layer.dtype_policy = policy


def nested_layers(model: keras.Model) -> list[keras.layers.Layer]:
    # The public `layers` stops at a layer that is made of layers.
    return list(model._flatten_layers(include_self=False))
