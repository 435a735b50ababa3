"""Which version wrote a file that is read again.

A file of our own says its format, a number from 1 on; one that does not is of before it
was said, and of format 1. The number goes up when an older version would misread the
file. What a newer one wrote is told apart from damage: nothing is lost, and the remedy
is another.
"""

from typing import Any

from records.errors import UserError


def refuse_newer(found: Any, reads: int, path: str, otherwise: str = "") -> None:
    """Raises UserError where a file is of a newer format than the one read here.

    Args:
        found: the format it says; of what is no number, the caller tells.
        otherwise: what else can be done, ` or ...`.
    """
    if isinstance(found, int) and found > reads:
        raise UserError(
            f"{path} was written by a newer tfcap (format {found}, this one reads "
            f"{reads}): install a newer tfcap{otherwise}"
        )
