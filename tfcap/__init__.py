"""The captioner, from the configuration to the server, and the `tfcap` command.

It imports records, and never Beam. Public names are imported when they are first used:

    Captioner     an exported model: photos in, captions out
    Config        a configuration; load_config reads one
    UserError     a mistake of the user, in a sentence
    __version__
"""

from tfcap.start_checks import refuse_other_records, refuse_windows

refuse_windows()
refuse_other_records()  # before the first import of records

from records.errors import UserError  # noqa: E402
from records.lazy_names import lazy_names  # noqa: E402

TYPE_CHECKING = False  # without typing, before whose import Ctrl-C has no handler
if TYPE_CHECKING:
    from typing import Any

    from tfcap.config.experiment import Config
    from tfcap.config.loading import load_config
    from tfcap.inference.captioner import Captioner

    __version__: str

__all__ = ["Captioner", "Config", "UserError", "__version__", "load_config"]

_load = lazy_names(
    __name__,
    {
        "Captioner": "inference.captioner",
        "Config": "config.experiment",
        "load_config": "config.loading",
    },
)


def __getattr__(name: str) -> "Any":
    if name == "__version__":
        from importlib.metadata import version

        return version("tfcap")
    return _load(name)
