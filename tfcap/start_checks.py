"""Checks of the system that come before any other import."""

import sys
from importlib.util import find_spec
from pathlib import Path


def refuse_windows() -> None:
    """Raises ImportError on Windows, which has neither fcntl nor tensorflow-text."""
    if sys.platform == "win32":
        raise ImportError(
            "tfcap does not run on Windows; run it on Linux, or in WSL 2 "
            "(https://learn.microsoft.com/windows/wsl)"
        )


def refuse_other_records() -> None:
    """Checks that `import records` finds the package beside this one.

    PyPI has another package of that name, a module `records.py`.

    Raises:
        ImportError: it finds another one, in whose place nothing of ours works.
    """
    spec, ours = find_spec("records"), Path(__file__).parents[1] / "records"
    if spec and spec.origin and not Path(spec.origin).is_relative_to(ours):
        raise ImportError(
            f"`import records` finds {spec.origin}, another package than tfcap's own "
            "`records`; remove it: pip uninstall records"
        )
