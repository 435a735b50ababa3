"""Writes the reference of commands and configuration keys from the code.

    python docs/reference_pages.py DIR

`conf.py` calls `write_pages` before each build, so that the pages cannot go stale.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from docstring_parser import parse_from_object
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from records.text.tokenizer_config import Kind
from tfcap.cli.main import make_parser
from tfcap.config.encoder import ENCODERS
from tfcap.config.experiment import Config
from tfcap.config.model import MODELS
from tfcap.config.recipes import list_recipes
from tfcap.config.records import TokenizerConfig
from tfcap.config.serving import ServingConfig

NAMES = {
    str: "text", int: "whole number", float: "number", bool: "true or false",
    list: "list", tuple: "list", dict: "mapping", NoneType: "null",
}  # fmt: skip
FORMS = {model: f"name: {name}" for name, model in MODELS.items()}
FORMS |= {model: name for name, model in ENCODERS.items()}
CONFIGURATION = """# Configuration keys

A configuration is a YAML file of these sections. `--set` sets a key on the command
line: `--set training.epochs=10`. The error for an unknown key names the nearest one.

"""
COMMANDS = """# Commands

Commands print results on standard output, progress and logs on standard error. Exit
codes: 0 finished, 1 failed, 2 wrong usage, 75 stopped and resumable, 130 Ctrl-C.
`tfcap serve` ends with 0 on Ctrl-C.

"""


def write_pages(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    pages = {
        "configuration.md": configuration_page(),
        "commands.md": commands_page(),
        "recipes.md": recipes_table(),
    }
    for name, text in pages.items():
        (directory / name).write_text(text, encoding="utf-8")


def configuration_page() -> str:
    sections = [*walk("", Config), *walk("serving", ServingConfig)]
    return CONFIGURATION + "\n".join(
        section_text(name, model) for name, model in sections
    )


def walk(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yields (path of keys, model) of a model and all models below it."""
    if path:
        yield path, model
    for name, field in model.model_fields.items():
        below = models_of(field.annotation)
        for section in below:
            label = f"{path}.{name}".strip(".")
            if len(below) > 1:
                label += f", {FORMS[section]}"
            yield from walk(label, section)


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """Returns the models that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in models_of(part)]


def section_text(path: str, model: type[BaseModel]) -> str:
    lines = [f"## {path}", "", summary(model), ""]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    described = meanings(model)
    for name, field in model.model_fields.items():
        if field.annotation is NoneType:
            continue  # a key of another form
        shown = by_kind(name) if model is TokenizerConfig else default(field)
        cells = (f"`{name}`", type_name(field.annotation), shown)
        lines.append("| " + " | ".join(map(cell, (*cells, described.get(name)))) + " |")
    return "\n".join([*lines, ""])


def summary(model: type[BaseModel]) -> str:
    return parse_from_object(model).short_description or ""


def meanings(model: type[BaseModel]) -> dict[str, str | None]:
    """Returns the meaning of each key, from the docstrings of a model and its bases."""
    bases = [c for c in reversed(model.__mro__) if issubclass(c, BaseModel)]
    return {
        param.arg_name: param.description
        for base in bases
        for param in parse_from_object(base).params
    }


def cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def type_name(annotation: Any) -> str:
    """Returns a type as a reader of YAML knows it."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if get_origin(annotation) is Annotated:
        return type_name(arguments[0])
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(dict.fromkeys(map(type_name, arguments)))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    return NAMES.get(get_origin(annotation) or annotation, str(annotation))


def default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if isinstance(value, BaseModel) else f"`{json.dumps(value)}`"


def by_kind(name: str) -> str:
    """Returns the default of a tokenizer's key, which may differ between the kinds."""
    values: dict[str, list[str]] = {}
    for kind in get_args(Kind):
        value = getattr(TokenizerConfig(kind=kind), name)
        if name != "kind" and value is not None:
            values.setdefault(json.dumps(value), []).append(kind)
    if len(values) == 1:
        return f"`{next(iter(values))}`"
    shown = (f"`{value}` ({', '.join(kinds)})" for value, kinds in values.items())
    return ", ".join(shown) or default(TokenizerConfig.model_fields[name])


def recipes_table() -> str:
    names = ("trains", "score", "minutes", "memory", "disk", "weights")
    lines = ["| recipe | trains | CIDEr, percent | minutes | memory | disk | weights |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for name, recipe in list_recipes().items():
        figures = (getattr(recipe, field) for field in names)
        cells = ("-" if figure is None else str(figure) for figure in figures)
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def commands_page() -> str:
    from tfcap.cli.plugins import find_plugins

    parser = make_parser(find_plugins())
    subparsers = next(
        action
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    texts = [f"```text\n{parser.format_help()}```\n"]
    for name, command in subparsers.choices.items():
        text = help_text(name, command)
        texts.append(f"## tfcap {name}\n\n```text\n{text}```\n")
    return COMMANDS + "\n".join(texts)


def help_text(name: str, parser: argparse.ArgumentParser) -> str:
    """Returns a command's help; that of a plugin comes from its own parser."""
    from beam_jobs import build_records, caption_photos

    plugins = {"build": build_records, "caption-photos": caption_photos}
    if name in plugins:
        parser = plugins[name].make_parser()
        parser.prog = f"tfcap {name}"
    return parser.format_help()


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
