"""The manifest `dataset.json`, written last: a record set does not exist without it."""

import hashlib
import json
import os
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from records.errors import UserError
from records.format import rejects
from records.format.schema import FeatureSpec
from records.format.versions import refuse_newer
from records.frozen_model import FrozenModel, explain
from records.storage.files import (
    check_utf8,
    exists,
    named_errors,
    read_file,
    write_atomically,
)
from records.text.tokenizer_config import TokenizerSettings
from records.wording import in_yaml

FILE_NAME = "dataset.json"
BUILD_FOLDER = ".build"  # beside it only while a build runs, or after a broken one
FORMAT = 1
STORED_ORDER = "containers"  # `sources` of photos in stored order
MAX_BYTES = 64 << 20  # of the file: the moments of 131,072 features take 6 MiB
CHECKSUM = "checksum"  # key of the digest of all other fields; reveals edits
# Also shown for the manifest in a work directory.
REMEDY = "Put it back from a copy, or build the records again"


# A record set may come from anyone, so its names must not lead out of the directory and
# its counts must be small.
Name = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f]+$")]
Length = Annotated[int, Field(ge=0, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]


class ShardInfo(FrozenModel):
    """A shard: name, counts, bytes and SHA-256 in hexadecimal."""

    name: Name
    photos: Count
    captions: Count
    bytes: Count
    sha256: str


class EncoderInfo(FrozenModel):
    """The encoder that computed the features of a record set.

    Attributes:
        kind: `application` for a network of `keras.applications`; `keras_file` or
            `saved_model` for a user's model; `keras_hub` for a preset.
        name: the network's name in snake case, or the name of the file or directory.
        layer: the layer the network is cut at, or the output of a SavedModel; None for
            the last.
        pooling: `avg`, `flatten`, `grid` or `embedding`.
        input_size: side of the network's square input, in pixels.
        preprocessing: description of how pixels are read, resized and scaled.
        weights: `imagenet`, `random` or the name of the file.
        signature: of a SavedModel; None for `serving_default`.
        crops: 1 for the whole photo; 5 for the average of its corners and centre.
        flip: features are averaged with those of the mirror image.
        fit: how a photo becomes a square: `squash`, `crop` or `pad`.
        interpolation: of resizing.
        antialias: a photo is filtered before it becomes smaller.
        rounded: resized pixels are whole numbers from 0 to 255.
        precision: dtype in which the network computes.
        float32_digest: digest of the same encoder in float32; None if it is in float32.
        digest: SHA-256 over all of the above except names of files, and every weight.
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
    fit: str = "squash"
    interpolation: str = "bilinear"
    antialias: bool = True
    rounded: bool = False
    precision: str = "float32"
    float32_digest: str | None = None
    digest: str

    @property
    def network_digest(self) -> str:
        """A digest that is equal for one encoder in different precisions."""
        return self.float32_digest or self.digest


class DroppedWords(FrozenModel):
    """Words that the tokenizer dropped for one reason.

    Attributes:
        count: number of dropped words.
        examples: the most frequent words with their counts, ties by word.
    """

    count: Count
    examples: list[tuple[str, Count]]


class Statistics(FrozenModel):
    """Counts over a record set.

    Photos in = written + rejected, and captions likewise. Words in = kept + dropped,
    over all captions that were read, also those of rejected photos. Older record sets
    have 0 words in.

    Attributes:
        photos_in: photos named by captions or split lists, and entries of the source
            that should name one and do not.
        captions_in: captions of the source, damaged ones included; for Flickr8k, lines
            of the caption file that are not blank.
        rejected_photos: reason -> photos.
        rejected_captions: reason -> captions; the captions of a rejected photo count
            under the photo's reason.
        tokens: words, pieces or characters of the written captions, out-of-vocabulary
            ones included.
        out_of_vocabulary: number of tokens out of the vocabulary.
        caption_lengths: ids per caption, `<start>` and `<end>` included -> captions.
        photo_formats: file format, detected from the bytes -> photos.
        longest_caption: ids, `<start>` and `<end>` included.
        words_in: words before the tokenizer dropped any.
        words_kept: words that the tokenizer kept.
        dropped_words: reason (`records.text.tokenizer.why_dropped`) -> words.
        unspaced_fraction: fraction of the training captions' words in a script without
            spaces; such a word is a whole clause.
        uncaptioned_files: files of the photo directory that neither a caption nor a
            list names; they are not in `photos_in`.
        longest_by_split: `longest_caption` of each split; empty in older record sets.
        equal_captions: all training captions have the same tokens.
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
    dropped_words: dict[str, DroppedWords] = Field({})
    unspaced_fraction: float = 0.0
    uncaptioned_files: Count = 0
    longest_by_split: dict[str, Length] = Field({})
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


class FeatureStatistics(FrozenModel):
    """Mean and standard deviation of each feature over the training photos.

    There is one value per channel of a grid, or one per feature. The model standardises
    with them; records hold the features that the encoder computed.
    """

    mean: list[float]
    deviation: list[float]


class Manifest(FrozenModel):
    """The content of `dataset.json`.

    >>> from records import RecordSet
    >>> manifest = RecordSet.open("data/records").manifest
    >>> manifest.photos("dev"), manifest.captions("dev")
    (7, 14)
    >>> manifest.encoder.name, manifest.features.shape
    ('mobilenet', (32,))
    """

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
    def _check_moments_fit_features(self) -> "Manifest":
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
        """Ids with `<start>` and `<end>`; over all splits in older record sets."""
        return self.statistics.longest_by_split.get("train", self.longest_caption)

    @property
    def in_stored_order(self) -> bool:
        """True if shards are ranges of containers; else a hash places each photo."""
        return self.sources.get("order") == STORED_ORDER

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
        """SHA-256 over the fields that training depends on.

        The configuration and its paths are left out. So are the statistics, which
        follow from the shards and of which a newer tfcap may count more.
        """
        excluded = {"configuration", "sources", "statistics"}
        content = self.model_dump(mode="json", exclude=excluded)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def load_manifest(directory: str) -> Manifest:
    """Reads and checks `dataset.json`.

    Fields that older record sets lack have defaults.

    Raises:
        UserError: the directory is no record set, its format is newer, or the file is
            damaged.
    """
    path, content = os.path.join(directory, FILE_NAME), load_content(directory)
    stored_checksum = content.pop(CHECKSUM, None)
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        problem = explain(error)
    if stored_checksum != checksum(content):
        raise UserError(
            f"{path} is damaged or was edited, for its checksum does not fit: "
            f"{problem}. {REMEDY}"
        )
    raise UserError(
        f"{path} is whole, but this tfcap cannot read it: {problem}. A newer tfcap "
        "wrote it, or somebody edited it: install a newer tfcap, or build the records "
        "again"
    )


def load_content(directory: str) -> dict[str, Any]:
    """Reads `dataset.json` and checks its format, but not its fields.

    Raises:
        UserError: as `load_manifest`.
    """
    check_utf8(directory)
    path = os.path.join(directory, FILE_NAME)
    if not exists(path):
        raise no_record_set(directory)
    content = parse_json(path)
    version = content.get("format") if isinstance(content, dict) else None
    refuse_newer(version, FORMAT, path, ", or build the records with this one")
    if version != FORMAT:
        raise UserError(
            f"{path} is damaged: its format is {in_yaml(version)}. {REMEDY}"
        )
    return content


def no_record_set(directory: str) -> UserError:
    rejected = os.path.join(directory, rejects.FILE_NAME)
    hint = f" What was rejected by then is in {rejected}." if exists(rejected) else ""
    return UserError(
        f"{directory} is not a record set: it has no {FILE_NAME}. Either the path "
        "is wrong or the build did not finish; run `tfcap build` again."
        f"{hint}"
    )


def parse_json(path: str) -> Any:
    with named_errors("read", path):
        content = read_file(path, MAX_BYTES)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is damaged: not JSON ({error}). {REMEDY}") from None


def checksum(content: dict[str, Any]) -> str:
    """Returns the SHA-256 of all fields of `dataset.json` except the checksum."""
    fields = {name: value for name, value in content.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
