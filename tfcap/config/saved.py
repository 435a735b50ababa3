"""Reads and writes the configurations in work directories and manifests.

These have every key. `Section.came_later` gives the value of a key that was introduced
after the file was written. An unknown key is of a newer tfcap, or the file was edited.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from records.errors import UserError
from records.format.versions import refuse_newer
from records.storage.files import named_errors, read_file, write_atomically
from records.wording import in_yaml
from tfcap.config.base import SAVED, Section
from tfcap.config.experiment import Config, RecipeOfRecords
from tfcap.config.loading import GONE, IS_GONE, ConfigLoader, check_sections, explain
from tfcap.config.yaml_files import MAX_BYTES, parse_yaml

FORMAT = 1  # of a work directory
END = b"\n..."
REMEDY = "It is damaged or was edited: put it back as it was"
# Errors that a file of a newer version gives in this one.
UNKNOWN = {"extra_forbidden", "union_tag_invalid", "literal_error"}

AnySection = TypeVar("AnySection", bound=Section)


def save_config(config: Config, path: str) -> None:
    content = {"format": FORMAT, **config.model_dump(mode="json")}
    text = yaml.safe_dump(content, sort_keys=False, explicit_end=True)
    write_atomically(path, text.encode())


def load_saved(path: str) -> Config:
    """Reads a file that `save_config` wrote, in this version or an earlier one.

    Raises:
        UserError: a newer version wrote it, it has an unknown key, or it is damaged.
    """
    with named_errors("read", path):
        text = read_file(path, MAX_BYTES)
    try:
        content = check_sections(parse_yaml(text, path, ConfigLoader), path)
    except UserError as error:
        raise UserError(f"{error}. {REMEDY}") from None
    version = content.pop("format", None)
    refuse_newer(version, FORMAT, path)
    if version is not None:  # older ones say neither format nor end
        check_whole(version, text, path)
    take_out_gone(content, path)
    return parse_saved(content, path, Config)


def check_whole(version: Any, text: bytes, path: str) -> None:
    if version != FORMAT:
        raise UserError(f"{path}: its format is {in_yaml(version)}. {REMEDY}")
    if not text.rstrip().endswith(END):  # without its end, YAML is YAML still
        raise UserError(f"{path}: its end, '...', is missing. {REMEDY}")


def take_out_gone(content: dict[str, Any], origin: str) -> None:
    """Removes keys of earlier versions; raises UserError where one had an effect."""
    for path, nothing in GONE.items():
        *sections, key = path.split(".")
        section: Any = content
        for name in sections:
            section = section.get(name) if isinstance(section, dict) else None
        if not isinstance(section, dict) or key not in section:
            continue
        if section.pop(key) != nothing:
            raise UserError(f"{origin}: {path} {IS_GONE}")


def parse_recipe(configuration: Mapping[str, Any], origin: str) -> RecipeOfRecords:
    """Parses the sections that decide what records hold, from their manifest.

    Raises:
        UserError: as `load_saved`.
    """
    names = RecipeOfRecords.model_fields
    sections = {name: configuration[name] for name in names if name in configuration}
    return parse_saved(sections, origin, RecipeOfRecords)


def parse_saved(
    content: dict[str, Any], origin: str, kind: type[AnySection]
) -> AnySection:
    try:
        text = json.dumps(content)
        return kind.model_validate_json(text, context=SAVED)
    except ValidationError as error:
        remedy = REMEDY
        if error.errors()[0]["type"] in UNKNOWN:
            remedy = (
                "A newer tfcap wrote it, or somebody edited it: install a newer tfcap, "
                "or put it back as it was"
            )
        raise UserError(f"{origin}: {explain(error, kind)}. {remedy}") from None
