"""The error of a value that cannot be used."""

from typing import Literal

from records.format.rejects import Reject


class ItemError(Exception):
    """A value that cannot be used; becomes a Reject where its place is known."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason

    def reject(
        self, what: Literal["photo", "caption"], where: str, captions: int
    ) -> Reject:
        return Reject(what, where, self.reason, str(self), captions)
