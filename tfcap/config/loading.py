"""Reads configuration files, applies `key=value` overrides and explains errors."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from records.console import suggest
from records.errors import UserError
from records.text.tokenizer_config import KIND_SETTINGS
from records.wording import in_yaml
from tfcap.config.encoder import ENCODERS, PREPROCESSING_FORMS
from tfcap.config.experiment import Config
from tfcap.config.model import MODELS
from tfcap.config.recipes import resolve_path
from tfcap.config.serving import ServingConfig
from tfcap.config.yaml_files import BoundedLoader, read_yaml

# Forms of a section, as they stand in a location.
FORMS = {**MODELS, **ENCODERS, **PREPROCESSING_FORMS}
# Keys of the forms of an encoder: a named network, a model file, and a preset.
NETWORK_KEYS = {"name", "weights"}
MODEL_KEYS = {"model", "signature", "preprocessing"}
PRESET_KEYS = {"preset"}
# Keys of earlier versions, with the value that had no effect.
GONE = {
    "decoding.mirror": False,
    "decoding.consensus.neighbours": None,
    "training.data_service": None,
}
IS_GONE = (
    "is a key of an earlier tfcap, and this one cannot do what it says: use that "
    "version, or take it out and do without"
)


class ConfigLoader(BoundedLoader):
    """A loader of YAML 1.1 in which `1e-3` is a number, as in YAML 1.2."""


ConfigLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+"),
    list("-+.0123456789"),
)


def load_config(
    path: str, overrides: Sequence[str] = (), base: Mapping[str, Any] | None = None
) -> Config:
    """Reads a configuration file and applies `key=value` overrides.

    An override or file that names one form of encoder, or one kind of tokenizer,
    switches off the keys of the others below it.

    >>> from tfcap import load_config
    >>> config = load_config("demo", ["training.global_batch=64"])
    >>> config.training.global_batch, config.training.epochs
    (64, 12)

    Args:
        path: the YAML file, or the name of a recipe (`tfcap recipes`).
        overrides: as `section.key=value`; the value is YAML.
        base: sections with values that the file leaves out; None for the defaults.

    Raises:
        UserError: the file cannot be read or has an unknown key or an invalid value.
            The message says where, and names the nearest valid key.
    """
    path = resolve_path(path)
    content = check_sections(read_yaml(path, ConfigLoader), path)
    return _overridden(_merged(base or {}, content), overrides, path)


def override(config: Config, overrides: Sequence[str], origin: str) -> Config:
    """Returns a copy with `key=value` overrides; raises UserError as `load_config`."""
    return _overridden(config.model_dump(mode="json"), overrides, origin)


def parse_config(content: dict[str, Any], origin: str) -> Config:
    """Checks a configuration of nested dictionaries; `origin` names it in messages."""
    try:
        return _validated(content)
    except ValidationError as error:
        raise UserError(f"{origin}: {explain(error, Config)}") from None


def parse_serving(overrides: Sequence[str]) -> ServingConfig:
    """Returns the settings of `tfcap serve` with `key=value` overrides.

    Raises:
        UserError: an override has an unknown key or an invalid value.
    """
    content: dict[str, Any] = {}
    for override in overrides:
        _apply(content, override)
    try:
        return ServingConfig.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise UserError(f"--set: {explain(error, ServingConfig)}") from None


def explain(error: ValidationError, root: type[BaseModel]) -> str:
    """Describes the first error: the key, what was expected and what was received."""
    first = error.errors()[0]
    where = ".".join(str(p) for p in first["loc"] if p not in FORMS) or "the file"
    if where in GONE:
        return f"{where} {IS_GONE}"
    if first["type"] == "extra_forbidden":
        valid = _keys_at(root, first["loc"][:-1])
        near = suggest(str(first["loc"][-1]), valid)
        hint = f"did you mean {near[0]!r}?" if near else f"valid: {', '.join(valid)}"
        return f"unknown key {where!r}; {hint}"
    message = first["msg"].removeprefix("Value error, ")
    shown = first["input"]
    if first["type"] == "union_tag_invalid":
        where, shown = f"{where}.name", first["ctx"]["tag"]
        message = f"Input should be {first['ctx']['expected_tags']}"
    received = "" if isinstance(shown, dict) else f"; received {in_yaml(shown)}"
    return f"{where}: {message}{received}"


def check_sections(content: Any, path: str) -> dict[str, Any]:
    """Returns the sections of a YAML file by name; raises UserError without any."""
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path} must hold sections such as `training:`")
    return content


def _overridden(
    content: dict[str, Any], overrides: Sequence[str], origin: str
) -> Config:
    changes: dict[str, Any] = {}
    for key_and_value in overrides:
        _apply(changes, key_and_value)
    try:
        return _validated(_merged(content, changes))
    except ValidationError as error:
        where = "--set" if _is_set(error.errors()[0]["loc"], changes) else origin
        raise UserError(f"{where}: {explain(error, Config)}") from None


def _validated(content: Mapping[str, Any]) -> Config:
    # Through JSON: strict models then take arrays for tuples and 1 for 1.0, but still
    # never "64" for 64.
    return Config.model_validate_json(json.dumps(content))


def _is_set(location: Sequence[str | int], changes: Mapping[str, Any]) -> bool:
    """Returns whether the value at a location is one of the changes, not a section."""
    value: Any = changes
    for key in location:
        if key not in FORMS:
            value = value.get(key, {}) if isinstance(value, dict) else value
    return not isinstance(value, dict)


def _merged(base: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `content` with the values of `base` where it has none."""
    merged = {**base, **content}
    for key, value in content.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            off = _switched_off(key, base[key], value)
            below = {k: v for k, v in base[key].items() if k not in off}
            merged[key] = _merged(below, value)
    return merged


def _switched_off(
    section: str, base: Mapping[str, Any], content: Mapping[str, Any]
) -> set[str]:
    """Returns the keys of `base` that belong to another form than `content` names."""
    names = {key for key, value in content.items() if value is not None}
    if section == "encoder":
        return _of_other_encoders(names, base)
    if section == "tokenizer" and "kind" in names:
        return {key for key, kind in KIND_SETTINGS.items() if kind != content["kind"]}
    return set()


def _of_other_encoders(names: set[str], base: Mapping[str, Any]) -> set[str]:
    of_model = MODEL_KEYS if base.get("model") is not None else set()
    if "preset" in names:
        return NETWORK_KEYS | of_model
    if "model" in names:
        return NETWORK_KEYS | PRESET_KEYS
    return of_model | PRESET_KEYS if names & NETWORK_KEYS else set()


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key:
        raise UserError(f"--set takes section.key=value; received {override!r}")
    *sections, name = key.split(".")
    for section in sections:
        # A section that is null, or missing, is empty.
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


def find_keys(name: str, prefix: str | tuple[str, ...] = "") -> list[str]:
    """Returns the dotted keys of the configuration with a prefix, by their name.

    >>> find_keys("epochs")
    ['training.epochs']
    """
    keys = (key for key in dict.fromkeys(_all_keys(Config)) if key.startswith(prefix))
    return [key for key in keys if key == name or key.endswith(f".{name}")]


def _all_keys(section: Any) -> Iterator[str]:
    for name, field in section.model_fields.items():
        kinds = get_args(field.annotation) or [field.annotation]
        inner = [kind for kind in kinds if hasattr(kind, "model_fields")]
        if not inner:
            yield name
        for kind in inner:
            yield from (f"{name}.{key}" for key in _all_keys(kind))


def _keys_at(root: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    model: Any = root
    for part in path:
        if str(part) in FORMS:
            model = FORMS[str(part)]
        else:
            annotation = model.model_fields[str(part)].annotation
            model, *_ = get_args(annotation) or [annotation]  # X of `X | None`
    return list(model.model_fields)
