"""Configuration of the encoder: the section `encoder`, one of three forms."""

import os
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Strict, Tag, model_validator

from tfcap.config.base import Section

Scaling = Literal["none", "unit", "tf", "caffe", "torch", "clip"]
Fit = Literal["squash", "crop", "pad"]
Interpolation = Literal["bilinear", "bicubic", "nearest", "lanczos3", "lanczos5"]
Pooling = Literal["avg", "flatten", "grid"]
Colours = tuple[float, float, float]
Spread = Annotated[float, Field(gt=0)]
# A validator of the section around it has made a list of YAML's array.
MayBeAList = Strict(False)


class PreprocessingConfig(Section):
    """Scaling and resizing of photos, key by key.

    Attributes:
        scaling: a name as `encoder.preprocessing` takes, of which only the scaling
            counts here. Null for `mean` and `deviation`, or without them for what a
            named network or preset was trained with.
        mean: mean of red, green and blue, of pixels from 0 to 1; it is subtracted.
        deviation: standard deviation of red, green and blue, of pixels from 0 to 1; it
            divides.
        resize: `squash` stretches a photo to a square, `crop` takes the largest square
            at its centre, `pad` adds black beside it.
        interpolation: method of resizing.
        antialias: filter a photo before it becomes smaller.
        rounded: round resized pixels to whole numbers from 0 to 255, as Pillow does.
    """

    scaling: Scaling | None = None
    mean: Annotated[Colours | None, MayBeAList] = None
    deviation: Annotated[tuple[Spread, Spread, Spread] | None, MayBeAList] = None
    resize: Fit = "squash"
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    rounded: bool = False

    @property
    def says_scaling(self) -> bool:
        return self.scaling is not None or self.mean is not None

    @model_validator(mode="after")
    def _one_scaling(self) -> "PreprocessingConfig":
        if (self.mean is None) != (self.deviation is None):
            raise ValueError("`mean` and `deviation` belong together; state both")
        if self.scaling is not None and self.mean is not None:
            raise ValueError(
                f"`scaling: {self.scaling}` and `mean` exclude each other; state one"
            )
        return self


def _preprocessing_form(values: Any) -> str:
    is_section = isinstance(values, (dict, PreprocessingConfig))
    return "in full" if is_section else "by name"


Preprocessing = Annotated[
    Annotated[Scaling, Tag("by name")] | Annotated[PreprocessingConfig, Tag("in full")],
    Discriminator(_preprocessing_form),
]


def _in_full(preprocessing: Scaling | PreprocessingConfig) -> PreprocessingConfig:
    if isinstance(preprocessing, PreprocessingConfig):
        return preprocessing
    if preprocessing == "clip":
        return PreprocessingConfig(
            scaling="clip", resize="crop", interpolation="bicubic", rounded=True
        )
    return PreprocessingConfig(scaling=preprocessing)


PREPROCESSING_FORMS = {"by name": PreprocessingConfig, "in full": PreprocessingConfig}


class EncoderSettings(Section):
    """An encoder, a function from photo to features: the keys of all forms.

    Attributes:
        name: any `keras.applications` model, in snake case; `inception_v3` by default.
        weights: weights of the named network: `imagenet` (downloaded by Keras; the
            default), `random` (seeded) or a file.
        model: a custom model instead of `name` and `weights`: a `.keras` file or the
            directory of a SavedModel that takes float pixels [batch, height, width, 3].
        signature: signature of the SavedModel; null for `serving_default`.
        preset: a backbone of KerasHub that looks at photos, instead of `name`: a preset
            by name, which KerasHub downloads, or the directory of one.
        layer: the layer whose output is taken; null for the last. For a SavedModel, the
            name of the signature's output; null for its only one.
        pooling: `avg`: mean over cells; `flatten`; `grid`: [rows, columns, channels].
            `avg` and `flatten` do not change features without cells. A preset's
            `embedding`, its default, is the vector that the preset itself makes of a
            photo: the image embedding of CLIP and SigLIP, the class token of ViT and
            DINO; the mean over cells where it makes none.
        input_size: side of the square input, pixels; null for the network's default.
        preprocessing: how pixels of 0 to 255 are scaled: `none` keeps them; `unit` maps
            them to 0 to 1; `tf`, `caffe` and `torch` as in
            `keras.applications.imagenet_utils`; `clip` as CLIP was trained, which also
            crops a photo at its centre and resizes it with `bicubic`. Or a section of
            its own with mean, deviation and resizing. Null for what a named network
            or preset was trained with; required with `model`.
        crops: 5 averages the features of corners and centre, cut out of the photo at
            8/7 of the input size; 1 takes the whole photo.
        flip: average with the features of the mirror image; cells are mirrored back.
            With 5 crops, 10 views (Krizhevsky, Sutskever and Hinton 2012).
        precision: dtype in which the network computes; its weights stay float32, and
            so do reading, scaling and pooling. A SavedModel computes as it was saved.
        seed: seed of `random` weights.
        file_key: the key that names the encoder's file.
    """

    came_later: ClassVar = {
        "model": None,
        "signature": None,
        "preset": None,
        "preprocessing": None,
        "crops": 1,
        "flip": False,
        "precision": "float32",
    }
    file_key: ClassVar[str]

    name: str | None = None
    weights: str | None = None
    model: str | None = None
    signature: str | None = None
    preset: str | None = None
    layer: str | None = None
    pooling: Literal["avg", "flatten", "grid", "embedding"] = "avg"
    input_size: int | None = Field(None, ge=32, le=2048)
    preprocessing: Preprocessing | None = None
    crops: Literal[1, 5] = 1
    flip: bool = False
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    seed: int = 0

    @property
    def photo_preprocessing(self) -> PreprocessingConfig | None:
        """The settings of `preprocessing` in full; None if there are none."""
        return None if self.preprocessing is None else _in_full(self.preprocessing)

    @property
    def file(self) -> str:
        """The path of the encoder's file, or the name of a network's weights."""
        return getattr(self, self.file_key)

    @property
    def file_name(self) -> str:
        return os.path.basename(self.file.rstrip("/"))

    @model_validator(mode="after")
    def _crops_have_no_common_cells(self) -> "EncoderSettings":
        if self.crops > 1 and self.pooling == "grid":
            raise ValueError(
                f"`crops: {self.crops}` needs pooling avg or flatten: a grid's cells "
                "are places in the photo, and those of two crops are other places"
            )
        return self


class NetworkConfig(EncoderSettings):
    """A network of `keras.applications`, by name."""

    file_key = "weights"

    name: str = "inception_v3"
    weights: str = "imagenet"
    model: None = None
    signature: None = None
    preset: None = None
    pooling: Pooling = "avg"

    @model_validator(mode="before")
    @classmethod
    def _null_is_the_default(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        if values.get("signature") is not None:
            raise ValueError("`signature` belongs to a SavedModel, named by `model`")
        defaults = {key: cls.model_fields[key].default for key in ("name", "weights")}
        return values | {k: v for k, v in defaults.items() if values.get(k) is None}


class CustomModelConfig(EncoderSettings):
    """A model from a file or directory."""

    file_key = "model"

    name: None = None
    weights: None = None
    model: str
    preset: None = None
    pooling: Pooling = "avg"
    preprocessing: Preprocessing

    @model_validator(mode="before")
    @classmethod
    def _a_model_is_whole(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        model = values.get("model")
        if values.get("name") is not None or values.get("weights") is not None:
            raise ValueError(
                "`model` stands instead of `name` and `weights`; leave these out: "
                f"encoder: {{model: {model}, preprocessing: ...}}"
            )
        if values.get("preprocessing") is None:
            raise ValueError(_no_scaling(model))
        return values

    @property
    def photo_preprocessing(self) -> PreprocessingConfig:
        return _in_full(self.preprocessing)

    @model_validator(mode="after")
    def _its_scaling_is_said(self) -> "CustomModelConfig":
        if not self.photo_preprocessing.says_scaling:
            raise ValueError(_no_scaling(self.model))
        return self


def _no_scaling(model: Any) -> str:
    return (
        f"`preprocessing` must say which pixels {model} takes: none (0 to 255), unit "
        "(0 to 1), tf (-1 to 1), caffe, torch or clip, or its mean and deviation"
    )


class PresetConfig(EncoderSettings):
    """A backbone of KerasHub, by the name of a preset or a preset's directory."""

    file_key = "preset"

    name: None = None
    weights: None = None
    model: None = None
    signature: None = None
    preset: str
    pooling: Literal["embedding", "avg", "flatten", "grid"] = "embedding"

    @model_validator(mode="before")
    @classmethod
    def _a_preset_is_whole(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        others = ("name", "weights", "model", "signature")
        if stated := [key for key in others if values.get(key) is not None]:
            raise ValueError(
                f"`preset` stands instead of `{stated[0]}`; leave that out: encoder: "
                f"{{preset: {values.get('preset')}}}"
            )
        return values


def _form(values: Any) -> str:
    """Returns the form of a section by the key that it states."""
    read = values.get if isinstance(values, dict) else partial(getattr, values)
    if read("preset", None) is not None:
        return "preset"
    return "network" if read("model", None) is None else "custom model"


EncoderConfig = Annotated[
    Annotated[NetworkConfig, Tag("network")]
    | Annotated[CustomModelConfig, Tag("custom model")]
    | Annotated[PresetConfig, Tag("preset")],
    Discriminator(_form),
]
ENCODERS = {
    "network": NetworkConfig,
    "custom model": CustomModelConfig,
    "preset": PresetConfig,
}
