"""What is imported comes with an installation, or with an extra of its own."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OURS = ("records", "tfcap", "beam_jobs")
EXTRAS = {"tfcap/serving": "serve"}
MODULES = [path for name in OURS for path in sorted((ROOT / name).rglob("*.py"))]


def brought(extra: str) -> set[str]:
    """Names of the distributions that come with `pip install tfcap[extra]`."""
    found, left = set(), [("tfcap", extra)]
    while left:
        name, extra = left.pop()
        found.add(name)
        for line in metadata.requires(name) or ():
            wanted = Requirement(line)
            if wanted.marker and not wanted.marker.evaluate({"extra": extra}):
                continue
            name_of_it = canonicalize_name(wanted.name)
            if name_of_it not in found and is_installed(name_of_it):
                left += [(name_of_it, each) for each in wanted.extras or {""}]
    return found


def is_installed(name: str) -> bool:
    return any(metadata.distributions(name=name))


def imported_at_once(code: str) -> Iterator[str]:
    """Packages that a module cannot be loaded without."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]


@pytest.fixture(scope="module")
def distributions():
    """Those that bring a package, by its name."""
    return metadata.packages_distributions()


@pytest.fixture(scope="module")
def installed():
    """What each extra brings, and "" what comes without one."""
    return {extra: brought(extra) for extra in {"", *EXTRAS.values()}}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_are_installed(path, distributions, installed):
    place = path.relative_to(ROOT).as_posix()
    extra = next((e for folder, e in EXTRAS.items() if place.startswith(folder)), "")
    for package in imported_at_once(path.read_text("utf-8")):
        if package in OURS or package in sys.stdlib_module_names:
            continue
        bringing = {canonicalize_name(name) for name in distributions[package]}
        assert bringing & installed[extra], (
            f"{package} is of {bringing}: pyproject.toml does not ask for it"
        )


def test_what_an_extra_brings_is_told_apart(installed):
    assert {"keras", "tensorflow", "google-crc32c"} <= installed[""]
    assert "starlette" in installed["serve"] - installed[""]
    assert not any(re.match("boto|moto", name) for name in installed["serve"])
