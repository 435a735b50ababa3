"""Packages that the server needs beyond those of a plain installation."""

from importlib.util import find_spec

from records.errors import UserError

PACKAGES = ("prometheus_client", "python_multipart", "starlette", "uvicorn")


def check_installed() -> None:
    """Raises UserError if a package of the extra `serve` is not installed."""
    for name in PACKAGES:
        if find_spec(name) is None:
            raise UserError(
                f"serving needs the package {name}: pip install 'tfcap[serve]'"
            )
