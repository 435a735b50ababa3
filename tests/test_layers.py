"""Imports point one way: beam_jobs -> tfcap -> records."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "records": {"tfcap", "beam_jobs", "apache_beam", "keras"},
    "tfcap": {"beam_jobs", "apache_beam"},
    "beam_jobs": set(),
}
MODULES = [
    (package, path)
    for package in FORBIDDEN
    for path in sorted((ROOT / package).rglob("*.py"))
]


def imported(tree: ast.AST) -> Iterator[str]:
    """Names of imported modules; `tf.keras` counts as keras."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and node.attr == "keras":
            yield "keras"


def forbidden_in(code: str, package: str) -> set[str]:
    names = {name.removeprefix("tensorflow.") for name in imported(ast.parse(code))}
    return {name.split(".")[0] for name in names} & FORBIDDEN[package]


@pytest.mark.parametrize(
    ("package", "path"),
    [pytest.param(*module, id=str(module[1].relative_to(ROOT))) for module in MODULES],
)
def test_imports_point_one_way(package, path):
    assert forbidden_in(path.read_text("utf-8"), package) == set()


@pytest.mark.parametrize(
    ("code", "package", "found"),
    [
        ("import apache_beam as beam", "tfcap", {"apache_beam"}),
        ("def f():\n    from apache_beam.io import x", "records", {"apache_beam"}),
        ("from beam_jobs import progress", "tfcap", {"beam_jobs"}),
        ("import tfcap.config", "records", {"tfcap"}),
        ("from tensorflow import keras", "records", {"keras"}),
        ("from tensorflow.keras import layers", "records", {"keras"}),
        ("import tensorflow as tf\ntf.keras.Model()", "records", {"keras"}),
        ("from tfcap import config\nimport keras", "beam_jobs", set()),
        ("import tensorflow as tf\nfrom records import shards", "records", set()),
    ],
)
def test_what_counts_as_an_import(code, package, found):
    assert forbidden_in(code, package) == found


def test_no_module_of_tfcap_or_records_loads_beam():
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package, path in MODULES
        if package != "beam_jobs"
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}:\n"
        "    importlib.import_module(name)\n"
        "    assert 'apache_beam' not in sys.modules, name\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
