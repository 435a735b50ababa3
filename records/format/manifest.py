"""`dataset.json`: what a record set holds. Written last; without it there is none."""

import hashlib
import json
import os
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from records.errors import UserError
from records.format import rejects
from records.format.schema import FeatureSpec
from records.format.versions import refuse_newer
from records.storage.files import (
    check_utf8,
    exists,
    read_file,
    reason,
    write_atomically,
)
from records.text.tokenizer_config import TokenizerSettings

FILE_NAME = "dataset.json"
FORMAT = 1
MAX_BYTES = 64 << 20  # of the file: the moments of 131,072 features take 6 MiB
# Beside the manifest's own fields: whether a person has changed any of them.
CHECKSUM = "checksum"
# Work directories hold a manifest as well.
REMEDY = "Put it back from a copy, or build the records again"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# A directory may be anybody's: what it names stays in it, and what is counted is small.
Name = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]+$")]
Length = Annotated[int, Field(ge=0, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]


class ShardInfo(_Part):
    """A shard: its file, what it holds, and its SHA-256 in hexadecimal."""

    name: Name
    photos: Count
    captions: Count
    bytes: Count
    sha256: str


class EncoderInfo(_Part):
    """Which function from photo to features made these records.

    Attributes:
        kind: `application`: a network of `keras.applications`; `keras_file` or
            `saved_model`: a model of one's own.
        name: the network's name in snake case, or that of the file or directory.
        layer: the layer it is cut at, or output of a SavedModel; None for its last.
        pooling: `avg`, `flatten` or `grid`.
        input_size: of the network, in pixels squared.
        preprocessing: how pixels are read, resized and scaled, in words.
        weights: `imagenet`, `random` or the name of the file.
        signature: of a SavedModel; None for `serving_default`.
        crops: 1: the whole photo; 5: its corners and centre, their features averaged.
        flip: averaged with the features of the mirror image.
        digest: SHA-256 over all of the above but files' names, and every weight.
    """

    kind: str = "application"
    name: str
    layer: str | None
    pooling: str
    input_size: int
    preprocessing: str
    weights: str
    signature: str | None = None
    crops: int = 1
    flip: bool = False
    digest: str


class DroppedWords(_Part):
    """Words that the tokenizer dropped for one reason.

    Attributes:
        count: of all.
        examples: the most frequent, each with how often; ties by word.
    """

    count: Count
    examples: list[tuple[str, Count]]


class Statistics(_Part):
    """Counts over the record set; photos in = written + rejected, captions too.

    Words in = kept + dropped, over all captions that were read, of rejected photos too.
    Record sets of before these were counted have 0 words in.

    Attributes:
        photos_in: photos named by captions or split lists, and entries of the source
            that should name one and do not.
        captions_in: captions of the source, whatever stands in a caption's place among
            them: for Flickr8k, lines of the caption file that are not blank.
        rejected_photos: photos rejected, by reason.
        rejected_captions: captions rejected, by reason; those of a rejected photo
            count under the photo's reason.
        tokens: words, pieces or characters of the written captions, out-of-vocabulary
            ones included.
        out_of_vocabulary: how many of them the vocabulary lacks.
        caption_lengths: ids per caption, `<start>` and `<end>` included -> captions.
        photo_formats: file format, as found in the bytes -> photos.
        longest_caption: ids, `<start>` and `<end>` included.
        words_in, words_kept: before and after the tokenizer dropped some.
        dropped_words: those, by reason (`records.text.tokenizer.why_dropped`).
        unspaced_fraction: part of the training captions' words that are in a script
            without spaces, so that each is a whole clause.
        uncaptioned_files: files of the photo directory that no caption and no list
            names; they are no photos in.
        longest_by_split: `longest_caption` of each split; empty in record sets of
            before it was counted.
        equal_captions: whether all training captions have the same tokens.
    """

    photos_in: Count
    photos_written: Count
    rejected_photos: dict[str, Count]
    captions_in: Count
    captions_written: Count
    rejected_captions: dict[str, Count]
    tokens: Count
    out_of_vocabulary: Count
    caption_lengths: dict[Length, Annotated[Count, Field(ge=1)]]
    photo_formats: dict[str, Count]
    words_in: Count = 0
    words_kept: Count = 0
    dropped_words: dict[str, DroppedWords] = {}
    unspaced_fraction: float = 0.0
    uncaptioned_files: Count = 0
    longest_by_split: dict[str, Length] = {}
    equal_captions: bool = False

    @property
    def words_dropped(self) -> int:
        return sum(dropped.count for dropped in self.dropped_words.values())

    @property
    def photos_rejected(self) -> int:
        return sum(self.rejected_photos.values())

    @property
    def captions_rejected(self) -> int:
        return sum(self.rejected_captions.values())

    @property
    def longest_caption(self) -> int:
        return max(self.caption_lengths, default=0)

    @property
    def out_of_vocabulary_rate(self) -> float:
        return self.out_of_vocabulary / max(1, self.tokens)


class FeatureStatistics(_Part):
    """Mean and standard deviation of each feature over the training photos.

    One value per channel for a grid, one per feature otherwise. The model
    standardises with them; the records hold features as the encoder gave them.
    """

    mean: list[float]
    deviation: list[float]


class Manifest(_Part):
    """All of `dataset.json`."""

    format: int
    shards: dict[Name, list[ShardInfo]]
    features: FeatureSpec
    moments: FeatureStatistics
    encoder: EncoderInfo
    tokenizer: TokenizerSettings
    vocabulary_sha256: str
    vocabulary_size: Count
    longest_caption: Count
    statistics: Statistics
    configuration: dict[str, dict[str, Any]]
    sources: dict[str, str]

    @model_validator(mode="after")
    def _moments_are_of_each_feature(self):
        channels = self.features.shape[-1]
        means, deviations = len(self.moments.mean), len(self.moments.deviation)
        if means != channels or deviations != channels:
            raise ValueError(
                f"moments: {means} means and {deviations} deviations of {channels} "
                "features"
            )
        return self

    @property
    def longest_training_caption(self) -> int:
        """Ids, `<start>` and `<end>` included; of all splits where that is unknown."""
        return self.statistics.longest_by_split.get("train", self.longest_caption)

    def photos(self, split: str) -> int:
        return sum(shard.photos for shard in self.shards.get(split, []))

    def captions(self, split: str) -> int:
        return sum(shard.captions for shard in self.shards.get(split, []))

    def to_bytes(self) -> bytes:
        content = self.model_dump(mode="json")
        content[CHECKSUM] = checksum(content)
        return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()

    def save(self, directory: str) -> None:
        write_atomically(os.path.join(directory, FILE_NAME), self.to_bytes())

    @property
    def content_digest(self) -> str:
        """SHA-256 over what training reads: not the configuration or its paths.

        Nor the statistics: they follow from the shards, but for what was left out, and
        a newer version counts more of them.
        """
        left_out = {"configuration", "sources", "statistics"}
        content = self.model_dump(mode="json", exclude=left_out)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_manifest(directory: str) -> Manifest:
    """Reads and checks `dataset.json`.

    A field that older sets lack has the default that tells of them.

    Raises:
        UserError: no record set there, one of a newer version, or a damaged file.
    """
    path, content = os.path.join(directory, FILE_NAME), load_content(directory)
    said = content.pop(CHECKSUM, None)
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        what = explain(error)
    if said != checksum(content):
        raise UserError(
            f"{path} is damaged or was edited, for its checksum does not fit: {what}. "
            f"{REMEDY}"
        )
    raise UserError(
        f"{path} is whole, but this tfcap cannot read it: {what}. A newer tfcap wrote "
        "it, or somebody edited it: install a newer tfcap, or build the records again"
    )


def explain(error: ValidationError) -> str:
    """The first thing wrong, in words."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"unknown key {field!r}"
    problem = first["msg"].removeprefix("Value error, ")
    return ": ".join(filter(None, (field, problem)))


def load_content(directory: str) -> dict[str, Any]:
    """`dataset.json` as it stands, of this format.

    Raises:
        UserError: as `load_manifest`, but fields are not looked at.
    """
    check_utf8(directory)
    path = os.path.join(directory, FILE_NAME)
    rejected = os.path.join(directory, rejects.FILE_NAME)
    if not exists(path):
        raise UserError(
            f"{directory} is not a record set: it has no {FILE_NAME}. Either the path "
            "is wrong or the build did not finish; run beam_jobs.build_records again."
            + f" What was rejected by then is in {rejected}."
            * bool(exists(rejected))
        )
    try:
        content = json.loads(read_file(path, MAX_BYTES))
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason(error)}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: not JSON ({error}). {REMEDY}") from None
    version = content.get("format") if isinstance(content, dict) else None
    refuse_newer(version, FORMAT, path, ", or build the records with this one")
    if version != FORMAT:
        raise UserError(f"{path} is damaged: its format is {version!r}. {REMEDY}")
    return content


def checksum(content: dict[str, Any]) -> str:
    """SHA-256 of all fields of `dataset.json` but the checksum itself."""
    fields = {name: value for name, value in content.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
