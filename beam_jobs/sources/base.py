"""The base of all sources of captions; there is a module for each published form.

Each source reads its files to the same kinds of items, so that everything after them,
and every byte of the records, is independent of the form. A photo's id is the path that
the source gives it (`records.storage.photo_ids.photo_id`). A name without a folder
means the file of that name, in any folder of the photo directory.
"""

import argparse
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from beam_jobs.elements import Item, Named
from beam_jobs.sources.lines import read_split
from records.errors import UserError
from records.format.rejects import Reject
from records.storage.files import named_errors

JSONL_LINE = '{"photo": "a.jpg", "captions": ["A dog runs ."], "split": "train"}'
ANY_FORM = (
    "Captions of any other form can be read as JSON lines, --source jsonl, one line a "
    f"photo: {JSONL_LINE}"
)
CONVERT = (
    "Convert it to UTF-8 from the encoding it has, e.g. iconv -f LATIN1 -t UTF-8 {}"
)
CAPTIONS = "captions"  # in place of a split: the file is no list

Part = tuple[str, str]  # CAPTIONS or a split, and a file


@dataclass(frozen=True)
class Source(ABC):
    r"""One form of captions and splits; it holds the paths of its files only.

    A subclass defines `name`, `needs` and `read`; `beam_jobs.register_source` makes it
    a value of `--source`.

    >>> from beam_jobs import Caption, Source, SplitAssignment
    >>> class Tsv(Source):
    ...     name = "tsv"
    ...     needs = "one --captions FILE, lines of photo<TAB>split<TAB>caption"
    ...
    ...     @staticmethod
    ...     def read(option):
    ...         for number, line in enumerate(open(option, encoding="utf-8")):
    ...             photo, split, text = line.rstrip().split("\t")
    ...             yield SplitAssignment(photo, split)
    ...             yield Caption(photo, number, f"{option}:{number + 1}", text)
    >>> source = Tsv.open(["captions.tsv"])
    >>> [item for part in source.to_read() for item in source.items(part)][:1]
    [SplitAssignment(photo_id='dog.jpg', split='train')]

    Attributes:
        name: after `--source`.
        needs: the options that it needs, in words.
        several: `--captions` may occur more than once.
        takes_splits: `--splits` names lists; else the captions' file has the splits.
        suffix: of photo file names, where a list may leave it out.
        roles: that `--field` may give names for.
        captions: the values of `--captions`, in order.
        lists: split -> path of its list of photos; empty if the splits are in the
            captions' file or depend on the photos' ids.
    """

    name: ClassVar[str]
    needs: ClassVar[str]
    several: ClassVar[bool] = False
    takes_splits: ClassVar[bool] = False
    suffix: ClassVar[str] = ""
    roles: ClassVar[Sequence[str]] = ()

    captions: tuple[str, ...]
    lists: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds_photos(self) -> bool:
        """True if it yields the photos' places too, so that no directory is listed."""
        return False

    @classmethod
    def check_options(
        cls, captions: Sequence[str], splits: str | None, drawn: bool = False
    ) -> None:
        """Checks the command line; reads no file.

        Args:
            drawn: `--split_fractions` decides how photos are split.

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
    def check_fields(cls, fields: Sequence[tuple[str, str]]) -> None:
        """Checks what `--field` names.

        Args:
            fields: (role, name) of each.

        Raises:
            UserError: the source has no such role.
        """
        for role, _ in fields:
            if role not in cls.roles:
                takes = f"takes --field {' or '.join(cls.roles)}" if cls.roles else ""
                raise cls.usage_error(f"it {takes or 'takes no --field'}")

    @classmethod
    def from_options(
        cls, args: argparse.Namespace, check_inputs: bool = True
    ) -> "Source":
        """Returns the source of a command line; raises as `open`.

        Args:
            args: the options.
            check_inputs: check its files for mistakes; without, no file is read.
        """
        create = cls.open if check_inputs else cls.named
        return create(args.captions, args.splits)

    @classmethod
    def usage_error(cls, problem: str) -> UserError:
        return UserError(f"--source {cls.name} needs {cls.needs}; {problem}")

    @classmethod
    def named(cls, captions: Sequence[str], splits: str | None = None) -> "Source":
        """Returns the source of these options; reads no file."""
        return cls(tuple(captions))

    @classmethod
    def open(cls, captions: Sequence[str], splits: str | None = None) -> "Source":
        """Returns the source of these options; checks the beginning of its files first.

        Raises:
            UserError: a file is missing, empty or of another form.
        """
        for option in captions:
            cls.check_start(option)
        return cls.named(captions, splits)

    @staticmethod
    @abstractmethod
    def read(option: str) -> Iterator[Item]:
        """Reads the file of one of `captions`.

        Yields Caption; SplitAssignment, where the file says so; Named, of a photo that
        has neither; Reject, of captions and of photos that cannot be named.

        Raises:
            UserError: the file as a whole cannot be read.
        """

    @classmethod
    def check_start(cls, option: str) -> None:
        """Checks the beginning of a file, so that a wrong one stops the job at once.

        A source overrides this where the first items that `read` yields do not come
        from the beginning alone.

        Raises:
            UserError: the file is missing, empty or of another form.
        """
        with named_errors("read", option, "--captions"):
            refuse_if_none_is_read(option, list(itertools.islice(cls.read(option), 10)))

    def files(self) -> dict[str, str]:
        """Returns the paths of its files, for the manifest."""
        return {CAPTIONS: ", ".join(self.captions), **self.lists}

    def to_read(self) -> list[Part]:
        """Returns the inputs that several workers can read in parallel; paths only."""
        return sorted({*((CAPTIONS, option) for option in self.captions)}) + sorted(
            self.lists.items()
        )

    def items(self, part: Part) -> Iterator[Item]:
        """Reads one of `to_read`; yields and raises as `read`."""
        kind, path = part
        if kind == CAPTIONS:
            return self.read(path)
        return read_split(kind, path, self.suffix)


def refuse_if_none_is_read(path: str, items: Sequence[Item]) -> None:
    """Refuses a file whose first lines are all rejected, or that has none."""
    rejects = [item for item in items if isinstance(item, Reject)]
    if not items:
        raise UserError(f"--captions: {path} holds no caption. {ANY_FORM}")
    if rejects and all(isinstance(item, Reject | Named) for item in items):
        first = rejects[0]
        remedy = CONVERT.format(path) if first.reason == "not_utf8" else ANY_FORM
        raise UserError(
            f"--captions: no caption at the head of {path} ({first.where}, "
            f"{first.reason}: {first.detail}). {remedy}"
        )
