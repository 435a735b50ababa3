"""Packages that only some commands need, and the extras that bring them."""

import shlex
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, requires
from importlib.util import find_spec

from records.errors import UserError

EXTRAS = {
    "aiohttp": "http",
    "apache_beam": "beam",
    "boto3": "aws",
    "gcsfs": "gcp",
    "google": "gcp",
    "keras_hub": "hub",
    "prometheus_client": "serve",
    "pyarrow": "beam",
    "pycocoevalcap": "evaluate",
    "python_multipart": "serve",
    "s3fs": "aws",
    "starlette": "serve",
    "tensorboard": "train",
    "uvicorn": "serve",
}


def missing_extra(error: ModuleNotFoundError) -> UserError | None:
    """Returns the error of a missing package that an extra brings.

    Returns:
        None for other packages, whose absence is no mistake of the user.
    """
    package = (error.name or "").partition(".")[0]
    if package not in EXTRAS:
        return None
    return not_installed([package], [EXTRAS[package]])


def check_extras(*extras: str) -> None:
    """Checks that the packages of some extras are installed; imports none of them.

    Commands call it first, so that all missing packages are named at once.

    Raises:
        UserError: a package is missing.
    """
    packages = [package for package, extra in EXTRAS.items() if extra in extras]
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        lacking = dict.fromkeys(EXTRAS[package] for package in missing)
        raise not_installed(missing, list(lacking))


def not_installed(packages: Sequence[str], extras: Sequence[str]) -> UserError:
    several = len(packages) > 1
    return UserError(
        f"this needs the package{'s' * several} {', '.join(packages)}, which "
        f"{'are' if several else 'is'} not installed: {install_command(*extras)}"
    )


def install_command(*extras: str) -> str:
    """Returns a command that installs what some extras bring, from any index.

    It names the packages, because `tfcap[extra]` may come from a clone or a file.
    """
    packages = [name for extra in extras for name in extra_requirements(extra)]
    named = shlex.join(packages or [f"tfcap[{','.join(extras)}]"])
    return f"pip install {named}"


def extra_requirements(extra: str) -> list[str]:
    try:
        lines = requires("tfcap") or []
    except PackageNotFoundError:  # run from the tree, not installed
        return []
    parts = [line.partition(";") for line in lines]
    return [
        requirement.strip()
        for requirement, _, marker in parts
        if marker.strip().replace('"', "'") == f"extra == '{extra}'"
        and not requirement.startswith("tfcap[")
    ]
