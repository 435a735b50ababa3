"""A tiny real record set, written as the build writes one, and ways to damage it."""

import hashlib
import json
import struct
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from records.format import rejects
from records.format.feature_statistics import StatisticsAccumulator
from records.format.manifest import (
    CHECKSUM,
    FILE_NAME,
    FORMAT,
    DroppedWords,
    EncoderInfo,
    FeatureStatistics,
    Manifest,
    Statistics,
    checksum,
)
from records.format.schema import FeatureSpec, PhotoRecord
from records.format.shard_writer import ShardWriter
from records.format.sharding import order_in_shard, shard_count, shard_name, shard_of
from records.text.tokenizer import TokenizerSettings
from records.text.vocabulary import FILE_NAME as VOCABULARY
from records.text.vocabulary import Vocabulary

sys.path.insert(0, str(Path(__file__).parent / "verification"))  # for verified

PHOTOS = {"train": 12, "dev": 5, "test": 0}
PER_SHARD = 4
TEXTS = ("a dog runs", "two dogs run on the grass", "a cat", "the dog sleeps", "a bird")
REJECTS = (
    {"what": "photo", "where": "gone.jpg", "reason": "photo_missing", "captions": 5},
    {"what": "photo", "where": "odd.jpg", "reason": "in_no_split", "captions": 2},
    {"what": "caption", "where": "c.txt:7", "reason": "no_word_left", "captions": 1},
)


def build_record(
    photo_id="a.jpg",
    captions=TEXTS[:2],
    ids=((1, 4, 5, 2), (1, 6, 2)),
    shape=(4,),
    dtype="float32",
    encoded=None,
) -> PhotoRecord:
    """A record whose features follow from its id."""
    seed = int.from_bytes(photo_id.encode(), "big") % 2**32
    features = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    digest = hashlib.sha256(encoded or photo_id.encode()).digest()
    return PhotoRecord(photo_id, digest, features, tuple(captions), ids, encoded)


def count_words() -> Counter:
    return Counter(word for text in TEXTS for word in text.split())


def arrange_photos(vocabulary, dtype, keep_photos) -> dict[str, list[list]]:
    """split -> shards -> records, where and in the order that their hashes say."""
    arranged = {}
    for split, photos in PHOTOS.items():
        held = [[] for _ in range(shard_count(photos, PER_SHARD))]
        for i in range(photos):
            texts = [TEXTS[(i + j) % len(TEXTS)] for j in range(1 + i % 3)]
            ids = tuple(tuple(vocabulary.encode(text.split())) for text in texts)
            name = f"{split}{i}.jpg"
            encoded = f"the photo {name}".encode() if keep_photos else None
            record = build_record(name, texts, ids, (4,), dtype, encoded)
            held[shard_of(name, len(held))].append(record)
        for shard in held:
            shard.sort(key=lambda record: order_in_shard(record.photo_id))
        arranged[split] = held
    return arranged


def write_shards(directory: Path, arranged) -> dict:
    infos = {split: [] for split in arranged}
    for split, held in arranged.items():
        for i, shard in enumerate(held):
            with ShardWriter(str(directory), shard_name(split, i, len(held))) as writer:
                for record in shard:
                    writer.write(record)
                infos[split].append(writer.close())
    return infos


def add_up(arranged, vocabulary) -> Statistics:
    records = [r for held in arranged.values() for shard in held for r in shard]
    words = [w for r in records for text in r.captions for w in text.split()]
    known = set(vocabulary.tokens)
    photos, captions = len(records), sum(len(r.captions) for r in records)
    return Statistics(
        photos_in=photos + 2,
        photos_written=photos,
        rejected_photos={"photo_missing": 1, "in_no_split": 1},
        captions_in=captions + 8,
        captions_written=captions,
        rejected_captions={"photo_missing": 5, "in_no_split": 2, "no_word_left": 1},
        tokens=len(words),
        out_of_vocabulary=sum(word not in known for word in words),
        caption_lengths=Counter(len(ids) for r in records for ids in r.ids),
        photo_formats={"JPEG": photos},
        words_in=len(words) + 9,
        words_kept=len(words),
        dropped_words={
            "digit": DroppedWords(count=7, examples=[("2", 4), ("<b>3", 3)]),
            "symbol": DroppedWords(count=2, examples=[("€", 2)]),
        },
    )


def add_up_features(arranged) -> FeatureStatistics:
    """As a build does: shard by shard, then the shards."""
    sums = StatisticsAccumulator()
    for shard in arranged["train"]:
        of_shard = StatisticsAccumulator()
        for record in shard:
            if record.features.shape == (4,) and np.isfinite(record.features).all():
                of_shard.add(record.features)
        sums.merge(of_shard.sum, of_shard.squares, of_shard.cells)
    return sums.moments()


def build_manifest(
    infos, statistics, moments, vocabulary, settings, dtype, configuration
) -> Manifest:
    return Manifest(
        format=FORMAT,
        shards=infos,
        features=FeatureSpec(shape=(4,), dtype=dtype),
        moments=moments,
        encoder=EncoderInfo(
            name="mobilenet",
            layer=None,
            pooling="avg",
            input_size=224,
            preprocessing="as it comes",
            weights="random",
            digest="0123456789abcdef" * 4,
        ),
        tokenizer=settings,
        vocabulary_sha256=vocabulary.digest,
        vocabulary_size=len(vocabulary),
        longest_caption=statistics.longest_caption,
        statistics=statistics,
        configuration=configuration,
        sources={"photos": "/photos", "captions": "/captions.txt"},
    )


def build_record_set(
    directory: Path,
    oov="unk",
    dtype="float32",
    keep_photos=False,
    rearrange=lambda arranged: None,
) -> Path:
    """Writes a record set: 12 train photos in 3 shards, 5 dev photos in 2, no test.

    Args:
        rearrange: changes the records in place before they are written; the manifest
            tells of them as they are after.
    """
    directory.mkdir(parents=True)
    vocabulary = Vocabulary.from_counts(count_words(), 2, oov == "unk")
    arranged = arrange_photos(vocabulary, dtype, keep_photos)
    rearrange(arranged)
    settings = TokenizerSettings(kind="word", min_letters=1, min_count=2, oov=oov)
    infos, statistics = write_shards(directory, arranged), add_up(arranged, vocabulary)
    moments = add_up_features(arranged)
    lines = [json.dumps({**line, "detail": ""}) + "\n" for line in REJECTS]
    (directory / rejects.FILE_NAME).write_text("".join(lines))
    vocabulary.save(str(directory / VOCABULARY))
    configuration = {"training": {"seed": 0}, "records": {"keep_photos": keep_photos}}
    manifest = build_manifest(
        infos, statistics, moments, vocabulary, settings, dtype, configuration
    )
    manifest.save(str(directory))
    return directory


def change_manifest(directory: Path, **changes) -> None:
    """Writes `dataset.json` anew; `statistics__photos_in=9` changes a nested field.

    The checksum is put right, so that what is found is found by other means.
    """
    path = directory / FILE_NAME
    content = json.loads(path.read_text())
    for name, value in changes.items():
        *parts, last = name.split("__")
        part = content
        for key in parts:
            part = part[key]
        part[last] = value
    content[CHECKSUM] = checksum(content)
    path.write_text(json.dumps(content))


def flip_bit_of(path: Path, record: int) -> None:
    """Flips a bit in the middle of a record's bytes.

    A file of records is, for each: length (8 bytes), its checksum (4), bytes,
    their checksum (4).
    """
    content, start = bytearray(path.read_bytes()), 0
    for _ in range(record):
        start += 16 + struct.unpack_from("<Q", content, start)[0]
    length = struct.unpack_from("<Q", content, start)[0]
    content[start + 12 + length // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def make_record():
    return build_record


@pytest.fixture
def make_record_set(tmp_path):
    """Builds a record set in a new directory; see `build_record_set`."""
    made = []

    def make(**settings) -> Path:
        made.append(tmp_path / f"records{len(made)}")
        return build_record_set(made[-1], **settings)

    return make


@pytest.fixture
def record_set(make_record_set) -> Path:
    return make_record_set()


@pytest.fixture
def edit_manifest():
    return change_manifest


@pytest.fixture
def flip_bit():
    return flip_bit_of
