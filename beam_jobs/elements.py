"""The elements that the steps of the pipelines pass on; they hold no pixels."""

from typing import NamedTuple

from records.format.rejects import Reject

REJECTED = "rejected"  # name of the output for the Rejects of a step


class Caption(NamedTuple):
    """One caption of the source.

    Attributes:
        number: order of the caption among those of its photo.
        where: file and line, or file and pointer, for rejects.
        words: of the text; empty until it is split.
        tokens: of the vocabulary; empty until the shard is written.
    """

    photo_id: str
    number: int
    where: str
    text: str
    words: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


class SplitAssignment(NamedTuple):
    """The split of a photo. An unknown split is rejected later."""

    photo_id: str
    split: str


class Named(NamedTuple):
    """A photo that the source names without a caption and without a split."""

    photo_id: str


Item = Caption | SplitAssignment | Named | Reject  # what a source yields


class SourceFile(NamedTuple):
    """A file of the photo directory; a changed photo has another size or time.

    Its id is its path below the directory (`records.storage.photo_ids`).
    """

    photo_id: str
    path: str
    size: int
    modified: float


class RecordLocation(NamedTuple):
    """The location of a photo in an earlier record set: shard and byte offset."""

    path: str
    offset: int


class Photo(NamedTuple):
    """A photo with a file, one split and at least one caption.

    Attributes:
        earlier: its record in the set of `--reuse`, if there is one.
    """

    photo_id: str
    split: str
    file: SourceFile
    captions: tuple[Caption, ...]
    earlier: RecordLocation | None = None


class Plan(NamedTuple):
    """The vocabulary and the number of shards; both depend on the whole text."""

    tokens: tuple[str, ...]
    shards: dict[str, int]
    photos: int
    unspaced_fraction: float = 0.0  # of the training words, see `Statistics`
