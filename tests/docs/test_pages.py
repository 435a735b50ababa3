"""Commands, keys, names and links of the pages are those of the code."""

import argparse
import ast
import importlib.util
import itertools
import json
import re

import pytest

from tests.docs import page_code

pytest.importorskip("apache_beam", reason="needs tfcap[beam]")

import yaml

from beam_jobs import build_records, caption_photos
from beam_jobs.runners.options import parse_command
from records.errors import UserError
from tfcap.cli.main import make_parser
from tfcap.cli.plugins import find_plugins
from tfcap.config.experiment import Config
from tfcap.config.loading import (
    GONE,
    _all_keys,
    load_config,
    override,
    parse_config,
    parse_serving,
)
from tfcap.config.recipes import list_recipes

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

ROOT = page_code.ROOT
PAGES = page_code.pages()
SHELL = ("", "bash", "sh", "text", "yaml")
COMMANDS = list(page_code.commands())
CODE = [
    (page, code)
    for page, text in PAGES.items()
    for code in (
        *page_code.inline(text),
        *(block for language, block in page_code.blocks(text) if language in SHELL),
    )
]
JOBS = {"build": build_records, "caption-photos": caption_photos}
SECTION = "(?:encoder|tokenizer|model|training|decoding|records)"
FOLDERS = (".ci", "beam_jobs", "configs", "deploy", "docs", "records", "tests", "tfcap")
FILES = [
    *(path.name for path in ROOT.iterdir()),
    *(
        path.relative_to(ROOT).as_posix()
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.*")
    ),
]


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def subcommands() -> dict[str, argparse.ArgumentParser]:
    (action,) = (
        action
        for action in make_parser(find_plugins())._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return action.choices


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_is_right_usage(command):
    """One of running text may leave out what is required, and has no other faults."""
    name, *rest = command.words
    parsers = {
        **subcommands(),
        **{name: job.make_parser() for name, job in JOBS.items()},
    }
    assert name in parsers, f"tfcap has no command {name!r}"
    parser = parsers[name]
    if not command.whole:
        for part in (*parser._actions, *parser._mutually_exclusive_groups):
            part.required = False
    if name in JOBS:
        parse_command(parser, rest)
    else:
        parser.parse_args(rest)


def overrides(command: page_code.Command) -> list[str]:
    words = [*command.words, ""]
    return [
        value if word == "--set" else word.removeprefix("--set=")
        for word, value in itertools.pairwise(words)
        if word == "--set" or word.startswith("--set=")
    ]


@pytest.mark.parametrize("command", filter(overrides, COMMANDS), ids=str)
def test_the_keys_of_a_command_are_real(command):
    if command.words[0] == "serve":
        given = [o for o in overrides(command) if o != "KEY=VALUE"]
        assert parse_serving(given)
    else:
        assert load_config("flickr8k", overrides(command))


def settings() -> list[tuple[str, list[str]]]:
    """Returns page and every `key=value` of each piece of code with --set."""
    pattern = rf"--set '?({SECTION}\.[a-z_.]+=[^\s'\"|]+)"
    found = ((page, re.findall(pattern, code)) for page, code in CODE)
    return [(page, values) for page, values in found if values]


@pytest.mark.parametrize(("page", "values"), settings(), ids=str)
def test_a_setting_is_accepted(page, values):
    """By a recipe of one of the models and encoders, which differ in their keys."""
    recipes = "inception_attention", "flickr8k", "clip_attention"
    assert any(accepts(name, values) for name in recipes)


def accepts(recipe: str, values: list[str]) -> bool:
    try:
        return bool(override(load_config(recipe), values, recipe))
    except UserError as error:
        print(error)
        return False


def names(pattern: str) -> list[tuple[str, str]]:
    """Returns page and first group of each place in code that matches a pattern."""
    return sorted(
        {(page, match) for page, code in CODE for match in re.findall(pattern, code)}
    )


@pytest.mark.parametrize(
    ("page", "name"),
    names(
        r"(?<![\w./])((?:encoder|tokenizer|model|training|decoding)(?:\.(?!py\b)[a-z_]+)+)(?![\w./(])"
    ),
)
def test_a_key_is_one_of_the_configuration(page, name):
    keys = [*GONE, *_all_keys(Config)]
    assert any(f"{key}.".startswith(f"{name}.") for key in keys)


@pytest.mark.parametrize(("page", "name"), names(r"--config[ =]([a-z]\w+)(?![\w./])"))
def test_a_recipe_exists(page, name):
    assert name in list_recipes()


@pytest.mark.parametrize(("page", "name"), names(r"(?m)^make ([a-z-]+)"))
def test_a_target_of_make_exists(page, name):
    assert re.search(
        rf"^(?:.* )?{name}(?: .*)?:", (ROOT / "Makefile").read_text(), re.M
    )


@pytest.mark.parametrize(("page", "name"), names(r"python3? -m ([a-z_.]+)"))
def test_a_module_exists(page, name):
    assert importlib.util.find_spec(name)


@pytest.mark.parametrize(("page", "extras"), names(r"(?:'\.|tfcap)\[([a-z,]+)\]"))
def test_an_extra_exists(page, extras):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


@pytest.mark.parametrize(("page", "name"), names(r"\b(TFCAP_[A-Z_]+)\b"))
def test_an_environment_variable_is_read(page, name):
    sources = [ROOT / file for file in FILES if file.endswith(".py")]
    assert any(name in source.read_text("utf-8") for source in sources)


PATH = (
    r"(?<![\w./<$-])([\w.]+(?:/[\w.]+)+\.(?:py|yaml|sh|cc|toml)|[a-z_]+\.(?:py|sh)\b)"
)
WRITTEN_BY_THE_READER = "read_records.py"


@pytest.mark.parametrize(
    ("page", "path"),
    [(p, n) for p, n in names(PATH) if "://" not in n and n != WRITTEN_BY_THE_READER],
)
def test_a_file_of_the_repository_exists(page, path):
    assert any(f"/{file}".endswith(f"/{path.lstrip('./')}") for file in FILES)


def links() -> list[tuple[str, str]]:
    return [
        (page, target)
        for page, text in PAGES.items()
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    ]


@pytest.mark.parametrize(("page", "target"), links())
def test_a_link_leads_to_a_file(page, target):
    path = ROOT / page
    assert (path.parent / target).exists() or "generated" in target


def code_blocks(*languages: str) -> list[tuple[str, str]]:
    return [
        (page, block)
        for page, text in PAGES.items()
        for language, block in page_code.blocks(text)
        if language in languages
    ]


@pytest.mark.parametrize(("page", "block"), code_blocks("python"))
def test_python_is_python(page, block):
    ast.parse(block)


@pytest.mark.parametrize(("page", "block"), code_blocks("json"))
def test_lines_of_json_are_json(page, block):
    for line in block.splitlines():
        json.loads(line)


@pytest.mark.parametrize(("page", "block"), code_blocks("yaml"))
def test_configurations_are_valid(page, block):
    parse_config(yaml.safe_load(block), page)


def test_the_package_page_needs_no_file_of_the_repository():
    """A package index shows it alone, and drops pictures that are not on the web."""
    page = PAGES["PACKAGE.md"]
    assert page.splitlines()[2] == PAGES["README.md"].splitlines()[2]
    assert not re.search(r"\]\((?!https://)|<img|data:", page)
