"""One YAML file per experiment, loaded into frozen models. Defaults live here alone.

encoder:   {name: inception_v3, weights: imagenet, layer: null, pooling: avg}
tokenizer: {kind: word, min_count: 5, min_letters: 1, oov: unk}
records:   {dtype: float32, photos_per_shard: 512, keep_photos: false}
model:     {name: merge, ...}
training:  {expansion: prefix, global_batch: 64, epochs: 20, ...}
decoding:  {beam_width: 3, length_exponent: 1.0, max_length: 34}
"""

import difflib
import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from records.errors import UserError
from records.tokenizer import TokenizerSettings

Fraction = Annotated[float, Field(ge=0, lt=1)]


class _Loader(yaml.SafeLoader):
    """YAML 1.1, but `1e-3` is a number, as in YAML 1.2 and everywhere else."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+"),
    list("-+.0123456789"),
)


class _Section(BaseModel):
    """Frozen and strict: `"64"` is no number, an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class EncoderConfig(_Section):
    """The function from photo to features.

    Attributes:
        name: any `keras.applications` model, in snake case.
        weights: `imagenet` (Keras downloads them), `random` (seeded) or a file.
        layer: cut the network at this layer; null for its last.
        pooling: `avg`: mean over cells; `flatten`; `grid`: [rows, columns, channels].
        input_size: pixels squared; null for the network's own.
        seed: of `random` weights.
    """

    name: str = "inception_v3"
    weights: str = "imagenet"
    layer: str | None = None
    pooling: Literal["avg", "flatten", "grid"] = "avg"
    input_size: int | None = Field(None, ge=32, le=2048)
    seed: int = 0


class TokenizerConfig(TokenizerSettings):
    """See `records.tokenizer.TokenizerSettings`."""

    kind: Literal["word"] = "word"
    min_letters: int = Field(1, ge=1)
    min_count: int = Field(5, ge=1)
    oov: Literal["unk", "drop"] = "unk"


class RecordsConfig(_Section):
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


class MergeConfig(_Section):
    """The merge model (Tanti et al. 2018), as in the Heaton notebook by default.

    Attributes:
        standardize: bring features to zero mean and unit deviation first.
        image_units: width of the image branch, and of the sum.
        embedding_units: width of a word's vector.
        glove: a GloVe text file of that width; null learns the embedding from nothing.
        embedding_trainable: false freezes the (GloVe) embedding.
        lstm_units: width of the text branch; must equal `image_units`, they are added.
        image_dropout: fraction of the image features dropped.
        text_dropout: fraction of each word's vector dropped.
        output_dropout: fraction of the last hidden layer dropped.
    """

    name: Literal["merge"] = "merge"
    standardize: bool = True
    image_units: int = Field(256, ge=1)
    embedding_units: int = Field(200, ge=1)
    glove: str | None = None
    embedding_trainable: bool = True
    lstm_units: int = Field(256, ge=1)
    image_dropout: Fraction = 0.5
    text_dropout: Fraction = 0.5
    output_dropout: Fraction = 0.0

    @model_validator(mode="after")
    def _branches_can_be_added(self):
        if self.image_units != self.lstm_units:
            raise ValueError(
                f"image_units ({self.image_units}) and lstm_units ({self.lstm_units}) "
                "must be equal: the two branches are added"
            )
        return self


class ScheduleConfig(_Section):
    """Learning rate over the steps of a run.

    Attributes:
        kind: `constant`; `step`: `rates[i]` from epoch `epochs[i]` on; `cosine`: from
            `rate` down to `final_fraction` of it at the last step.
        rate: the (first) learning rate.
        warmup_steps: steps over which it rises linearly from nothing.
        final_fraction: where the cosine ends.
        steps: for `step`, pairs of (epoch, rate), the first after epoch 0.
    """

    kind: Literal["constant", "step", "cosine"] = "cosine"
    rate: float = Field(1e-3, gt=0)
    warmup_steps: int = Field(0, ge=0)
    final_fraction: float = Field(0.01, ge=0, le=1)
    steps: list[tuple[int, float]] = []

    @model_validator(mode="after")
    def _steps_belong_to_step(self):
        if bool(self.steps) != (self.kind == "step"):
            raise ValueError(
                "`steps` (pairs of epoch and rate) belongs to `kind: step`, and "
                "`kind: step` needs it"
            )
        if [e for e, _ in self.steps] != sorted({e for e, _ in self.steps if e > 0}):
            raise ValueError("epochs in `steps` must rise, from 1 on")
        return self


class TrainingConfig(_Section):
    """The training run.

    Attributes:
        expansion: `prefix`: a row per (prefix, next token); `causal`: one shifted
            sequence per caption, the same objective for less work.
        global_batch: photos per step, over all replicas.
        epochs: passes over the training photos, at most.
        strategy: `auto` picks by what is there; or `cpu`, `gpu`, `mirrored`,
            `multi_worker`.
        seed: of weights, dropout and order.
        schedule: the learning rate.
        clip_norm: gradients are scaled down to this global norm; null leaves them.
        label_smoothing: weight spread over the whole vocabulary.
        patience: stop after so many epochs without a better dev loss; null never does.
        shuffle_photos: size of the shuffle buffer; bounds the memory it takes.
        checkpoint_steps: save every so many steps as well as after each epoch.
        log_steps: steps between two points of the curves.
    """

    expansion: Literal["prefix", "causal"] = "prefix"
    global_batch: int = Field(64, ge=1)
    epochs: int = Field(20, ge=1)
    strategy: Literal["auto", "cpu", "gpu", "mirrored", "multi_worker"] = "auto"
    seed: int = 0
    schedule: ScheduleConfig = ScheduleConfig()
    clip_norm: float | None = Field(None, gt=0)
    label_smoothing: Fraction = 0.0
    patience: int | None = Field(None, ge=1)
    shuffle_photos: int = Field(4096, ge=1)
    checkpoint_steps: int = Field(500, ge=1)
    log_steps: int = Field(10, ge=1)


class DecodingConfig(_Section):
    """The search for a caption.

    Attributes:
        beam_width: 1 is greedy.
        length_exponent: a caption of n tokens scores log-probability / n**exponent.
        max_length: tokens at most, `<start>` and `<end>` included.
    """

    beam_width: int = Field(3, ge=1)
    length_exponent: float = Field(1.0, ge=0)
    max_length: int = Field(34, ge=3)


class Config(_Section):
    """A whole experiment."""

    encoder: EncoderConfig = EncoderConfig()
    tokenizer: TokenizerConfig = TokenizerConfig()
    records: RecordsConfig = RecordsConfig()
    model: MergeConfig = MergeConfig()
    training: TrainingConfig = TrainingConfig()
    decoding: DecodingConfig = DecodingConfig()


def load_config(path: str, overrides: Sequence[str] = ()) -> Config:
    """Reads a configuration file and applies `key=value` overrides.

    >>> load_config("configs/demo.yaml", ["training.global_batch=64"])

    Raises:
        UserError: the file cannot be read or holds an unknown key or a wrong value;
            says where, and names the nearest valid key.
    """
    content = _read_yaml(path)
    for override in overrides:
        _apply(content, override)
    return parse_config(content, path)


def parse_config(content: dict[str, Any], origin: str) -> Config:
    """Checks a configuration given as nested dictionaries; `origin` is for messages."""
    try:
        # Through JSON: strict models then take arrays for tuples and 1 for 1.0, but
        # still never "64" for 64.
        return Config.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise UserError(f"{origin}: {explain(error, Config)}") from None


def explain(error: ValidationError, root: type[BaseModel]) -> str:
    """The first thing wrong, in words: which key, what was expected, what received."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    if first["type"] == "extra_forbidden":
        valid = _keys_at(root, first["loc"][:-1])
        near = difflib.get_close_matches(str(first["loc"][-1]), valid, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(valid)}"
        return f"unknown key {where!r}; {hint}"
    message = first["msg"].removeprefix("Value error, ")
    shown = first["input"]
    received = "" if isinstance(shown, dict) else f"; received {shown!r}"
    return f"{where}: {message}{received}"


def _read_yaml(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            content = yaml.load(file, _Loader)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold sections such as `training:`")
    return content


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise UserError(f"--set takes section.key=value; received {override!r}")
    *sections, name = key.split(".")
    for section in sections:
        content = content.setdefault(section, {})
        if not isinstance(content, dict):
            raise UserError(f"--set {override}: {section!r} is no section")
    try:
        content[name] = yaml.load(value, _Loader)
    except yaml.YAMLError:
        raise UserError(f"--set {override}: the value is not YAML") from None


def _keys_at(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    for part in path:
        model = model.model_fields[str(part)].annotation
    return list(model.model_fields)
