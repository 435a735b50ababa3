"""The base of all sources of captions; there is a module for each published form.

Each source reads its files to the same three kinds of items, so that everything after
them, and every byte of the records, is independent of the form. A photo's id is the
path that the source gives it (`records.storage.photo_ids.photo_id`). A name without a
folder stands for the file of that name, wherever it lies below the photo directory.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from records.errors import UserError

JSONL_LINE = '{"photo": "a.jpg", "captions": ["A dog runs ."], "split": "train"}'
ANY_FORM = (
    "Captions of any other form can be read as JSON lines, --source jsonl, one line a "
    f"photo: {JSONL_LINE}"
)


class Source(ABC):
    """One form of captions and splits; it holds the paths of its files only.

    Attributes:
        name: after `--source`.
        needs: which options it needs, in words.
        several: whether `--captions` may be given more than once.
        takes_splits: whether it takes `--splits`; else the captions' file tells.
    """

    name: ClassVar[str]
    needs: ClassVar[str]
    several: ClassVar[bool] = False
    takes_splits: ClassVar[bool] = False

    @classmethod
    def check_options(
        cls, captions: Sequence[str], splits: str | None, drawn: bool = False
    ) -> None:
        """Checks the command line; reads no file.

        Args:
            drawn: whether `--split_fractions` says how photos are split.

        Raises:
            UserError: options are missing or too many; says what the source needs.
        """
        if not captions:
            raise cls.usage_error("received no --captions")
        if len(captions) > 1 and not cls.several:
            raise cls.usage_error(f"received {len(captions)} --captions")
        if cls.takes_splits and not splits and not drawn:
            raise cls.usage_error("received no --splits and no --split_fractions")
        if splits and not cls.takes_splits:
            raise cls.usage_error("it takes no --splits")
        if splits and drawn:
            raise cls.usage_error("received both --splits and --split_fractions")

    @classmethod
    def usage_error(cls, problem: str) -> UserError:
        return UserError(f"--source {cls.name} needs {cls.needs}; {problem}")

    @classmethod
    @abstractmethod
    def open(cls, captions: Sequence[str], splits: str | None) -> "Source":
        """Returns the source of these options; checks the beginning of its files first.

        Raises:
            UserError: a file is missing, empty or of another form.
        """

    @classmethod
    @abstractmethod
    def named(cls, captions: Sequence[str], splits: str | None) -> "Source":
        """Returns the source of these options; reads no file."""

    @abstractmethod
    def files(self) -> dict[str, str]:
        """Returns the paths of its files, for the manifest."""

    @abstractmethod
    def to_read(self) -> list[Any]:
        """Returns the inputs that several workers can read in parallel; paths only."""

    @abstractmethod
    def items(self, part: Any) -> Iterator[Any]:
        """Reads one of `to_read`.

        Yields Caption; SplitAssignment, where the input says so; Named, of a photo that
        has neither; Reject, of captions and of photos that cannot be named.

        Raises:
            UserError: the file as a whole cannot be read.
        """
