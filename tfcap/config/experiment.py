"""One YAML file per experiment, loaded into frozen models. Defaults live here alone,
and in the sections that have a module of their own (`tfcap/*_config.py`).

encoder:   {name: inception_v3, weights: imagenet, layer: null, pooling: avg}
tokenizer: {kind: word, min_count: 5, min_letters: 1, oov: unk}  # wordpiece | char
records:   {dtype: float32, photos_per_shard: 512, keep_photos: false}
model:     {name: merge, ...}
training:  {expansion: prefix, global_batch: 64, epochs: 20, ...}
decoding:  {beam_width: 3, length_exponent: 1.0, max_length: null}
"""

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from records.errors import UserError
from records.text.tokenizer_config import Kind, TokenizerSettings
from tfcap.config.base import Section
from tfcap.config.decoding import DecodingConfig
from tfcap.config.model import MODELS, MergeConfig, Model
from tfcap.config.training import TrainingConfig
from tfcap.config.yaml_files import BoundedLoader, read_yaml

NETWORK = {"name": "inception_v3", "weights": "imagenet"}  # the encoder by default


class ConfigLoader(BoundedLoader):
    """YAML 1.1, but `1e-3` is a number, as in YAML 1.2 and everywhere else."""


ConfigLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+"),
    list("-+.0123456789"),
)


class EncoderConfig(Section):
    """The function from photo to features: a network by its name, or a model's file.

    Attributes:
        name: any `keras.applications` model, in snake case; `inception_v3` by default.
        weights: of that: `imagenet` (Keras downloads them; the default), `random`
            (seeded) or a file.
        model: instead of these two, a model of your own: a `.keras` file or the
            directory of a SavedModel, from float pixels [batch, height, width, 3].
        signature: of the SavedModel; null for `serving_default`.
        layer: cut the network at this layer; null for its last. Of a SavedModel, the
            signature's output of this name; null for its only one.
        pooling: `avg`: mean over cells; `flatten`; `grid`: [rows, columns, channels].
            `avg` and `flatten` leave features without cells as they are.
        input_size: pixels squared; null for the network's own.
        preprocessing: what the network takes for pixels of 0 to 255: `none`, just
            those; `unit`, 0 to 1; `tf`, `caffe` and `torch` as in
            `keras.applications.imagenet_utils`. Null for what a network by name was
            trained with; a `model` must say.
        crops: 5: corners and centre, cut out of the photo at 8/7 of the input size;
            their features are averaged. 1: the whole photo.
        flip: average with the features of the mirror image; cells are mirrored back.
            With 5 crops, 10 views (Krizhevsky, Sutskever and Hinton 2012).
        seed: of `random` weights.
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


TOKENIZER_DEFAULTS = {
    "word": {"min_letters": 1, "min_count": 5},
    "wordpiece": {"vocabulary_size": 4000, "min_count": 2},
    "char": {"min_count": 5},
}


class TokenizerConfig(TokenizerSettings):
    """See `TokenizerSettings`. What is left out or null is the kind's default."""

    kind: Kind = "word"
    oov: Literal["unk", "drop"] = "unk"

    @model_validator(mode="before")
    @classmethod
    def _defaults_are_those_of_the_kind(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        defaults = TOKENIZER_DEFAULTS.get(str(given.get("kind", "word")), {})
        left_out = [name for name in defaults if given.get(name) is None]
        return {**given, **{name: defaults[name] for name in left_out}}


class RecordsConfig(Section):
    """How records are written.

    Attributes:
        dtype: of the features on disk.
        photos_per_shard: about how many; a hash picks the shard.
        keep_photos: store the photo's bytes in the record as well.
        encoder_batch: photos per run of the encoder.
    """

    dtype: Literal["float32", "float16"] = "float32"
    photos_per_shard: int = Field(512, ge=1)
    keep_photos: bool = False
    encoder_batch: int = Field(32, ge=1)


class ServingConfig(Section):
    """`tfcap serve`.

    Attributes:
        batch: photos captioned at a time, of whatever requests wait.
        delay: seconds that a photo waits for others to fill its batch.
        queue: photos that may wait or be captioned; beyond, the answer is 503. As many
            as the model captions in less than `seconds`.
        requests: with a body, being read or waiting; beyond, the answer is 503.
        seconds: for a body to arrive, and for its captions to be there.
        max_body_bytes: of one request, as it is sent and unpacked.
        max_waiting_bytes: of all requests that are here; beyond, the answer is 503.
        max_photos: of one request.
        max_pixels: of one photo, and of what is decoded at a time; the scans of a
            progressive JPEG count as well (`records.photo_header`).
        max_waiting_pixels: of all photos that wait or are captioned, counted alike;
            beyond, the answer is 503, or 413 if one request holds as many. What has
            been let in is done within `seconds`.
    """

    batch: int = Field(8, ge=1)
    delay: float = Field(0.005, ge=0)
    queue: int = Field(64, ge=1)
    requests: int = Field(128, ge=1)
    seconds: float = Field(30.0, gt=0)
    max_body_bytes: int = Field(32 << 20, ge=1)
    max_waiting_bytes: int = Field(256 << 20, ge=1)
    max_photos: int = Field(16, ge=1)
    max_pixels: int = Field(50_000_000, ge=1)
    max_waiting_pixels: int = Field(200_000_000, ge=1)


class RecipeOfRecords(Section):
    """The sections that the Beam job reads."""

    encoder: EncoderConfig = EncoderConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    records: RecordsConfig = RecordsConfig()


class Config(RecipeOfRecords):
    """A whole experiment."""

    model: Model = MergeConfig()
    training: TrainingConfig = TrainingConfig()
    decoding: DecodingConfig = DecodingConfig()

    @model_validator(mode="after")
    def _cells_have_no_one_size(self):
        if self.training.jit_compile and self.model.name != "merge":
            raise ValueError(
                "training.jit_compile needs model.name: merge; how many captions look "
                f"at a photo is another number in each batch of {self.model.name}"
            )
        return self

    @field_validator("model", mode="before")
    @classmethod
    def _merge_by_default(cls, given: Any) -> Any:
        return {"name": "merge", **given} if isinstance(given, dict) else given


def load_config(
    path: str, overrides: Sequence[str] = (), base: Config | None = None
) -> Config:
    """Reads a configuration file and applies `key=value` overrides.

    >>> load_config("configs/demo.yaml", ["training.global_batch=64"])

    Args:
        base: of what the file leaves out.

    Raises:
        UserError: the file cannot be read or holds an unknown key or a wrong value;
            says where, and names the nearest valid key.
    """
    content = check_sections(read_yaml(path, ConfigLoader), path)
    if base:
        content = _merged(base.model_dump(mode="json"), content)
    return _overridden(content, overrides, path)


def override(config: Config, overrides: Sequence[str], origin: str) -> Config:
    """The same with `key=value` overrides; raises UserError as `load_config`."""
    return _overridden(config.model_dump(mode="json"), overrides, origin)


def parse_config(content: dict[str, Any], origin: str) -> Config:
    """Checks a configuration given as nested dictionaries; `origin` is for messages."""
    try:
        # Through JSON: strict models then take arrays for tuples and 1 for 1.0, but
        # still never "64" for 64.
        return Config.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise UserError(f"{origin}: {explain(error, Config)}") from None


def parse_serving(overrides: Sequence[str]) -> ServingConfig:
    """The settings of `tfcap serve` with `key=value` overrides.

    Raises:
        UserError: an unknown key or a wrong value.
    """
    content: dict[str, Any] = {}
    for override in overrides:
        _apply(content, override)
    try:
        return ServingConfig.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise UserError(f"--set: {explain(error, ServingConfig)}") from None


def explain(error: ValidationError, root: type[BaseModel]) -> str:
    """The first thing wrong, in words: which key, what was expected, what received."""
    first = error.errors()[0]
    where = ".".join(str(p) for p in first["loc"] if p not in MODELS) or "the file"
    if first["type"] == "extra_forbidden":
        valid = _keys_at(root, first["loc"][:-1])
        near = difflib.get_close_matches(str(first["loc"][-1]), valid, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(valid)}"
        return f"unknown key {where!r}; {hint}"
    message = first["msg"].removeprefix("Value error, ")
    shown = first["input"]
    if first["type"] == "union_tag_invalid":
        where, shown = f"{where}.name", first["ctx"]["tag"]
        message = f"Input should be {first['ctx']['expected_tags']}"
    received = "" if isinstance(shown, dict) else f"; received {shown!r}"
    return f"{where}: {message}{received}"


def check_sections(content: Any, path: str) -> dict[str, Any]:
    """Returns the sections of a YAML file by name; raises UserError without any."""
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold sections such as `training:`")
    return content


def _overridden(content: dict[str, Any], overrides: Sequence[str], origin: str):
    for key_and_value in overrides:
        _apply(content, key_and_value)
    return parse_config(content, origin)


def _merged(base: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """`content`, and what of `base` it does not say."""
    merged = base | content
    for key, value in content.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merged[key] = _merged(base[key], value)
    return merged


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise UserError(f"--set takes section.key=value; received {override!r}")
    *sections, name = key.split(".")
    for section in sections:
        # A section that is null is one that has not been begun.
        if content.get(section) is None:
            content[section] = {}
        content = content[section]
        if not isinstance(content, dict):
            raise UserError(f"--set {override}: {section!r} is no section")
    try:
        content[name] = yaml.load(value, ConfigLoader)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise UserError(f"--set {key}: the value is not YAML: {problem}") from None


def _keys_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    for part in path:
        if str(part) in MODELS:
            model = MODELS[str(part)]
        else:
            annotation = model.model_fields[str(part)].annotation
            model, *_ = get_args(annotation) or [annotation]  # of one that may be null
    return list(model.model_fields)
