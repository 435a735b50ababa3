"""CSS shared by the inspection page and the caption gallery."""

import functools
from importlib import resources


@functools.cache
def stylesheet() -> str:
    """Returns the style sheet; a page adds its own rules to it."""
    file = resources.files(__package__).joinpath("theme.css")
    return file.read_text(encoding="utf-8")
