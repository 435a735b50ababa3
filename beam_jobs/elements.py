"""What the steps of the pipelines pass on: text only, never pixels."""

from dataclasses import dataclass
from typing import NamedTuple

from beam_jobs.sources.base import Source
from records.format.manifest import EncoderInfo
from records.format.schema import FeatureSpec
from tfcap.config.experiment import Config

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


@dataclass(frozen=True)
class Job:
    """One build, as every worker knows it.

    Attributes:
        photos: directory of the photos.
        source: the captions and their splits.
        output: directory of the records.
        config: the experiment.
        encoder: digest and settings of the encoder that the launcher loaded.
        features: shape and dtype on disk.
        max_reject_fraction: of photos, above which the build is refused.
        reuse: directory of an earlier record set, to take features from.
        split_fractions: of photos in train, dev and test, where the source has no
            splits.
    """

    photos: str
    source: Source
    output: str
    config: Config
    encoder: EncoderInfo
    features: FeatureSpec
    max_reject_fraction: float
    reuse: str | None = None
    split_fractions: tuple[float, float, float] | None = None
