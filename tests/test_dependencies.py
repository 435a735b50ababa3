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
EXTRAS = {
    "beam_jobs": "beam",
    "tfcap/evaluation": "evaluate",
    "tfcap/metrics": "evaluate",
    "tfcap/serving": "serve",
    "tfcap/training": "train",
}
MODULES = [path for name in OURS for path in sorted((ROOT / name).rglob("*.py"))]

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 cannot tell who brings a package"
)


def brought(extra: str) -> set[str]:
    """Names of the distributions that come with `pip install tfcap[extra]`."""
    found, left = set(), [Requirement(line) for line in asked_for(extra)]
    while left:
        wanted = left.pop()
        name, extras = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if (name, extras) in found or not is_installed(name):
            continue
        found.add((name, extras))
        needs = [Requirement(line) for line in metadata.requires(name) or ()]
        left += [need for need in needs if holds(need, extras)]
    return {name for name, _ in found}


def asked_for(extra: str) -> list[str]:
    """As pyproject.toml has it: an installation may be older."""
    import tomllib  # new in Python 3.11

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    options = project["optional-dependencies"]
    return project["dependencies"] + (options[extra] if extra else [])


def holds(need: Requirement, extras: frozenset[str]) -> bool:
    marker = need.marker
    return not marker or any(marker.evaluate({"extra": e}) for e in extras or {""})


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
