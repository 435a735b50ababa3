"""Checks of the system that come before any other import.

It imports what Python has loaded at its start: Ctrl-C has no handler of ours yet.
"""

import os
import sys
from importlib.machinery import PathFinder


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
    spec = PathFinder.find_spec("records")
    ours = os.path.join(os.path.dirname(os.path.dirname(__file__)), "records", "")
    if spec and spec.origin and not spec.origin.startswith(ours):
        raise ImportError(
            f"`import records` finds {spec.origin}, another package than tfcap's own "
            "`records`; remove it: pip uninstall records"
        )
