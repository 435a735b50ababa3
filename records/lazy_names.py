"""Public names of packages, imported when they are first used (PEP 562)."""

import importlib
from collections.abc import Callable, Mapping

TYPE_CHECKING = False  # typing would take longer to import than all else here
if TYPE_CHECKING:
    from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> "Callable[[str], Any]":
    """Returns the `__getattr__` of a package.

    Importing the package then loads none of its modules.

    Args:
        package: name of the package.
        modules: public name -> module of the package that defines it.
    """

    def load(name: str) -> "Any":
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(f"{package}.{modules[name]}")
        return getattr(module, name)

    return load
