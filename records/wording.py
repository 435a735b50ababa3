"""Numbers and values as a person reads them, on pages and in tables."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun.

    >>> counted(1, "photo"), counted(2000, "photo")
    ('1 photo', '2,000 photos')
    """
    return f"{number:,} {noun}" + "s" * (number != 1)


def percent(fraction: float, interval: Sequence[float] | None = None) -> str:
    """Returns a fraction in percent, without the sign, and its interval if it has one.

    >>> percent(0.5), percent(0.636, (0.619, 0.652))
    ('50.0', '63.6 (61.9 to 65.2)')
    """
    text = f"{100 * fraction:.1f}"
    return f"{text} ({' to '.join(map(percent, interval))})" if interval else text


def mebibytes(size: int) -> str:
    """Returns a number of bytes in MiB, without the unit."""
    return f"{size / 2**20:,.1f}"


def in_yaml(value: Any) -> str:
    """Returns a value as a user writes it in a configuration.

    >>> in_yaml(None), in_yaml((0.5, True)), in_yaml("it")
    ('null', '[0.5, true]', "'it'")
    """
    if isinstance(value, str):
        return repr(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def as_text(value: Any) -> str:
    """Returns a value that JSON can hold without the brackets and quotes of JSON.

    >>> as_text({"kind": "word", "sizes": [1, 2], "oov": None})
    'kind word, sizes 1, 2, oov none'
    """
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {as_text(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        between = "; " if any(isinstance(part, Mapping) for part in value) else ", "
        return between.join(map(as_text, value)) or "none"
    words = {None: "none", True: "yes", False: "no"}
    return words[value] if value is None or isinstance(value, bool) else str(value)
