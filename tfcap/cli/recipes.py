"""The subcommand `tfcap recipes`: lists the packaged configurations, copies one."""

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from records.console import add_command, plain_console

if TYPE_CHECKING:
    from tfcap.config.recipes import Recipe

NOTES = (
    "",
    "CIDEr in percent, on photos that chose nothing; (in brackets) on photos that also "
    "chose settings, which flatters it. Minutes of training on 2 CPU cores, and its "
    "peak memory; disk of the features of Flickr8k's 8,091 photos.",
    "Use one by name: tfcap train --config NAME ... Copy one: tfcap recipes copy NAME. "
    "Its head has the commands, the encoder weights and how the figures were measured.",
)

WIDE = 60  # columns of a terminal; narrower ones show no memory and no description


def add_recipes(commands: Any) -> None:
    parser = add_command(
        commands,
        "recipes",
        list_all,
        "list the configurations that come with tfcap, or copy one",
        "copy inception_attention mine.yaml",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, no table")
    actions = parser.add_subparsers(metavar="copy")
    copying = add_command(
        actions, "copy", copy, "copy a configuration to edit it", "flickr8k mine.yaml"
    )
    copying.add_argument("name", metavar="NAME", help="of a recipe")
    copying.add_argument(
        "output",
        metavar="FILE",
        nargs="?",
        help="where to write it (default NAME.yaml in this directory)",
    )


def list_all(args: argparse.Namespace) -> int:
    from tfcap.config.recipes import list_recipes

    recipes = list_recipes()
    if args.json:
        rows = {name: recipe.model_dump() for name, recipe in recipes.items()}
        print(json.dumps({"recipes": rows}))
        return 0
    print_recipes(recipes)
    return 0


def print_recipes(recipes: "Mapping[str, Recipe]") -> None:
    from rich.table import Table

    console = plain_console()
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("recipe", no_wrap=True)
    wide = console.width >= WIDE
    columns = {"score": "CIDEr", "minutes": "min", "memory": "memory", "disk": "disk"}
    if not wide:
        del columns["memory"]
    for column in columns.values():
        table.add_column(column, justify="right", no_wrap=True)
    if wide:
        table.add_column(" trains")
    for name, recipe in recipes.items():
        figures = (getattr(recipe, field) for field in columns)
        cells = ["-" if figure is None else str(figure) for figure in figures]
        table.add_row(name, *cells, *[f" {recipe.trains}"] * wide)
    console.print(table)
    console.print(*NOTES, sep="\n")


def copy(args: argparse.Namespace) -> int:
    from records.errors import UserError
    from records.storage.files import exists, write_text
    from tfcap.config.recipes import find_recipe

    source, output = find_recipe(args.name), args.output or f"{args.name}.yaml"
    if exists(output):
        raise UserError(f"{output} exists: name another file")
    write_text(output, source.read_text(encoding="utf-8"))
    print(output)
    return 0
