"""What the steps of the pipelines pass on: text only, never pixels."""

from typing import NamedTuple

REJECTED = "rejected"  # the output of a step that its Rejects leave by


class Caption(NamedTuple):
    """One caption of the source.

    Attributes:
        number: captions of a photo stand in this order.
        where: file and line, or file and place in it, for rejects.
        words: of the text, once it is tokenized.
        tokens: the words as the vocabulary has them, once there is one.
    """

    photo_id: str
    number: int
    where: str
    text: str
    words: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()


class SplitAssignment(NamedTuple):
    """That a photo is in a split; one of an unknown name is rejected later."""

    photo_id: str
    split: str


class Named(NamedTuple):
    """That the source names a photo, for where neither a caption nor a split does."""

    photo_id: str


class SourceFile(NamedTuple):
    """One file of the photo directory; size and time tell a changed photo.

    Its id is its path below the directory (`records.storage.photo_ids`).
    """

    photo_id: str
    path: str
    size: int
    modified: float


class RecordLocation(NamedTuple):
    """Where an earlier record set holds a photo: shard, and byte its record is at."""

    path: str
    offset: int


class Photo(NamedTuple):
    """A photo that is there, is in one split and has captions.

    Attributes:
        earlier: its record in the set whose features may be taken over.
    """

    photo_id: str
    split: str
    file: SourceFile
    captions: tuple[Caption, ...]
    earlier: RecordLocation | None = None


class Plan(NamedTuple):
    """What must be known of the whole text before the first photo is read."""

    tokens: tuple[str, ...]
    shards: dict[str, int]
    photos: int
    unspaced_fraction: float = 0.0  # of the training words, see `Statistics`
