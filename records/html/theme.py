"""What the pages of a record set and of its captions look like alike."""

import functools
from importlib import resources


@functools.cache
def stylesheet() -> str:
    """A style sheet: colours, light and dark, letters, panels; a page adds its own."""
    file = resources.files(__package__).joinpath("theme.css")
    return file.read_text(encoding="utf-8")
