"""Configuration of the encoder: the section `encoder`."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tfcap.config.base import Section

NETWORK = {"name": "inception_v3", "weights": "imagenet"}  # the default encoder


class EncoderConfig(Section):
    """The encoder, a function from photo to features: a named network or a model file.

    Attributes:
        name: any `keras.applications` model, in snake case; `inception_v3` by default.
        weights: weights of the named network: `imagenet` (downloaded by Keras; the
            default), `random` (seeded) or a file.
        model: a custom model instead of `name` and `weights`: a `.keras` file or the
            directory of a SavedModel that takes float pixels [batch, height, width, 3].
        signature: signature of the SavedModel; null for `serving_default`.
        layer: the layer whose output is taken; null for the last. For a SavedModel, the
            name of the signature's output; null for its only one.
        pooling: `avg`: mean over cells; `flatten`; `grid`: [rows, columns, channels].
            `avg` and `flatten` do not change features without cells.
        input_size: side of the square input, pixels; null for the network's default.
        preprocessing: how pixels of 0 to 255 are scaled: `none` keeps them; `unit` maps
            them to 0 to 1; `tf`, `caffe` and `torch` as in
            `keras.applications.imagenet_utils`. Null for what a named network was
            trained with; required with `model`.
        crops: 5 averages the features of corners and centre, cut out of the photo at
            8/7 of the input size; 1 takes the whole photo.
        flip: average with the features of the mirror image; cells are mirrored back.
            With 5 crops, 10 views (Krizhevsky, Sutskever and Hinton 2012).
        seed: seed of `random` weights.
    """

    came_later: ClassVar = {
        "model": None,
        "signature": None,
        "preprocessing": None,
        "crops": 1,
        "flip": False,
    }

    name: str | None = None
    weights: str | None = None
    model: str | None = None
    signature: str | None = None
    layer: str | None = None
    pooling: Literal["avg", "flatten", "grid"] = "avg"
    input_size: int | None = Field(None, ge=32, le=2048)
    preprocessing: Literal["none", "unit", "tf", "caffe", "torch"] | None = None
    crops: Literal[1, 5] = 1
    flip: bool = False
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _a_network_by_default(cls, values):
        if not isinstance(values, dict) or values.get("model") is not None:
            return values
        missing = [key for key in NETWORK if values.get(key) is None]
        return values | {key: NETWORK[key] for key in missing}

    @model_validator(mode="after")
    def _a_model_is_whole(self):
        if self.model is None and self.signature is not None:
            raise ValueError("`signature` belongs to a SavedModel, named by `model`")
        if self.model is None:
            return self
        if self.name is not None or self.weights is not None:
            raise ValueError(
                "`model` stands instead of `name` and `weights`; leave these out: "
                f"encoder: {{model: {self.model}, preprocessing: ...}}"
            )
        if self.preprocessing is None:
            raise ValueError(
                f"`preprocessing` must say which pixels {self.model} takes: none (0 "
                "to 255), unit (0 to 1), tf (-1 to 1), caffe or torch"
            )
        return self

    @model_validator(mode="after")
    def _crops_have_no_common_cells(self):
        if self.crops > 1 and self.pooling == "grid":
            raise ValueError(
                f"`crops: {self.crops}` needs pooling avg or flatten: a grid's cells "
                "are places in the photo, and those of two crops are other places"
            )
        return self
