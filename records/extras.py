"""Packages that only some commands need, and the extras that bring them."""

import shlex
from importlib.metadata import PackageNotFoundError, requires

from records.errors import UserError

EXTRAS = {
    "apache_beam": "beam",
    "boto3": "aws",
    "google": "gcp",
    "prometheus_client": "serve",
    "pycocoevalcap": "evaluate",
    "python_multipart": "serve",
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
    return UserError(
        f"this needs the package {package}, which is not installed: "
        f"{install_command(EXTRAS[package])}"
    )


def install_command(extra: str) -> str:
    """Returns a command that installs what an extra brings, from any index.

    It names the packages, because `tfcap[extra]` may come from a clone or a file.
    """
    packages = extra_requirements(extra)
    return f"pip install {shlex.join(packages) or f'tfcap[{extra}]'}"


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
