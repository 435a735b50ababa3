"""The elements that the steps of the pipelines pass on; they hold no pixels."""

from collections.abc import Mapping
from typing import NamedTuple

from records.format.rejects import Reject

REJECTED = "rejected"  # name of the output for the Rejects of a step


class Caption(NamedTuple):
    """One caption of the source.

    >>> from beam_jobs import Caption
    >>> Caption("dog.jpg", 0, "captions.tsv:1", "A dog runs .").text
    'A dog runs .'

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
    """The split of a photo. An unknown split is rejected later.

    >>> from beam_jobs import SplitAssignment
    >>> SplitAssignment("dog.jpg", "train").split
    'train'
    """

    photo_id: str
    split: str


class Named(NamedTuple):
    """A photo that the source names without a caption and without a split.

    It is counted, and rejected for want of a caption.

    >>> from beam_jobs import Named
    >>> Named("dog.jpg").photo_id
    'dog.jpg'
    """

    photo_id: str


class SourceFile(NamedTuple):
    """A photo's file, or its place in a container: a zip, a tar or a Parquet file.

    A changed photo has another size or time. The id of a file is its path below the
    photo directory (`records.storage.photo_ids`), that of a member is its name.

    Attributes:
        path: of the file, or of the container.
        size: of the photo, in bytes.
        modified: time of the file or container, in seconds.
        place: of a member, its first byte or its row in the container.
        extent: of the container, in bytes or rows; 0 for a file of its own.
        column: of a Parquet file that holds the photo.
    """

    photo_id: str
    path: str
    size: int
    modified: float
    place: int = 0
    extent: int = 0
    column: str = ""

    @property
    def container(self) -> str:
        """The path of its container; empty for a file of its own."""
        return self.path if self.extent else ""

    @property
    def name(self) -> str:
        """The path, and of a member its place, for messages."""
        return f"{self.path} at {self.place}" if self.extent else self.path


Item = Caption | SplitAssignment | Named | SourceFile | Reject  # what a source yields


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


class ShardRange(NamedTuple):
    """The shards that the photos of one container go to: the first, and how many."""

    first: int
    shards: int


class Plan(NamedTuple):
    """The vocabulary and the number of shards; both depend on the whole text.

    Attributes:
        tokens: of the vocabulary.
        shards: split -> number of shards.
        photos: how many there are in all splits.
        unspaced_fraction: of the training words, see `Statistics`.
        ranges: split -> container -> its shards; those before them hold the photos
            that are files of their own.
    """

    tokens: tuple[str, ...]
    shards: dict[str, int]
    photos: int
    unspaced_fraction: float = 0.0
    ranges: Mapping[str, Mapping[str, ShardRange]] = {}
