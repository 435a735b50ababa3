"""Reads configuration files, applies `key=value` overrides and explains errors."""

import json
import re
from collections.abc import Sequence
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from records.console import suggest
from records.errors import UserError
from tfcap.config.encoder import ENCODERS
from tfcap.config.experiment import Config
from tfcap.config.model import MODELS
from tfcap.config.recipes import resolve_path
from tfcap.config.serving import ServingConfig
from tfcap.config.yaml_files import BoundedLoader, read_yaml

FORMS = {**MODELS, **ENCODERS}  # forms of a section, as they stand in a location


class ConfigLoader(BoundedLoader):
    """A loader of YAML 1.1 in which `1e-3` is a number, as in YAML 1.2."""


ConfigLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+"),
    list("-+.0123456789"),
)


def load_config(
    path: str, overrides: Sequence[str] = (), base: Config | None = None
) -> Config:
    """Reads a configuration file and applies `key=value` overrides.

    >>> load_config("configs/demo.yaml", ["training.global_batch=64"])

    Args:
        path: the YAML file, or the name of a recipe (`tfcap recipes`).
        overrides: as `section.key=value`; the value is YAML.
        base: gives the values that the file leaves out; None for the defaults.

    Raises:
        UserError: the file cannot be read or has an unknown key or an invalid value.
            The message says where, and names the nearest valid key.
    """
    path = resolve_path(path)
    content = check_sections(read_yaml(path, ConfigLoader), path)
    if base:
        content = _merged(base.model_dump(mode="json"), content)
    return _overridden(content, overrides, path)


def override(config: Config, overrides: Sequence[str], origin: str) -> Config:
    """Returns a copy with `key=value` overrides; raises UserError as `load_config`."""
    return _overridden(config.model_dump(mode="json"), overrides, origin)


def parse_config(content: dict[str, Any], origin: str) -> Config:
    """Checks a configuration of nested dictionaries; `origin` names it in messages."""
    try:
        # Through JSON: strict models then take arrays for tuples and 1 for 1.0, but
        # still never "64" for 64.
        return Config.model_validate_json(json.dumps(content))
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
    received = "" if isinstance(shown, dict) else f"; received {shown!r}"
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
    for key_and_value in overrides:
        _apply(content, key_and_value)
    return parse_config(content, origin)


def _merged(base: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """Returns `content` with the values of `base` where it has none."""
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


def _keys_at(root: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    model: Any = root
    for part in path:
        if str(part) in FORMS:
            model = FORMS[str(part)]
        else:
            annotation = model.model_fields[str(part)].annotation
            model, *_ = get_args(annotation) or [annotation]  # X of `X | None`
    return list(model.model_fields)
