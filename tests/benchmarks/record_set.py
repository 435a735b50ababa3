"""A record set of Flickr8k's size and shape, drawn from a seed: no photo, no download.

6,000 photos, five captions each. How long captions are is Flickr8k's; which words they
hold is drawn with the word frequencies of natural text (Zipf), and features are noise:
neither changes how much work a row is.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from records.format import schema, sharding
from records.format.manifest import (
    FORMAT,
    EncoderInfo,
    FeatureStatistics,
    Manifest,
    ShardInfo,
    Statistics,
)
from records.format.record_set import RecordSet
from records.format.shard_writer import ShardWriter
from records.text.tokenizer import TokenizerSettings
from records.text.vocabulary import END, FILE_NAME, PAD, START, UNK, Vocabulary

CAPTIONS_PER_PHOTO = 5
PHOTOS_PER_SHARD = 512
POOLED = schema.FeatureSpec(shape=(2048,), dtype="float32")
GRID = schema.FeatureSpec(shape=(7, 7, 1024), dtype="float16")
# Words -> captions, in the 30,000 training captions of Flickr8k (`min_letters: 1`).
WORDS = {
    **{2: 15, 3: 126, 4: 348, 5: 864, 6: 1963, 7: 2539, 8: 2932, 9: 3313, 10: 3324},
    **{11: 3133, 12: 2774, 13: 2315, 14: 1852, 15: 1326, 16: 972, 17: 663, 18: 514},
    **{19: 362, 20: 206, 21: 134, 22: 109, 23: 73, 24: 52, 25: 33, 26: 20, 27: 11},
    **{28: 7, 29: 9, 30: 4, 31: 3, 32: 1, 33: 2, 35: 1},
}


def make_record_set(
    directory: str,
    photos: int,
    vocabulary_size: int = 2500,
    features: schema.FeatureSpec = POOLED,
) -> RecordSet:
    """Writes training photos into an empty directory, and opens it.

    >>> make_record_set("/tmp/records", 6000).manifest.captions("train")
    30000
    """
    random, vocabulary = np.random.default_rng(0), make_vocabulary(vocabulary_size)
    names = [f"photo{i:06d}.jpg" for i in range(photos)]
    drawn = draw_photos(random, names, vocabulary, features)
    infos = write_shards(directory, drawn)
    vocabulary.save(f"{directory}/{FILE_NAME}")
    statistics = count_captions(caption_lengths(drawn))
    make_manifest({"train": infos}, statistics, vocabulary, features).save(directory)
    return RecordSet.open(directory)


def make_vocabulary(size: int) -> Vocabulary:
    names = [PAD, START, END, UNK]
    return Vocabulary([*names, *(f"word{i}" for i in range(len(names), size))])


def repeat_record_set(records: RecordSet, times: int, directory: str) -> RecordSet:
    """Makes a set of so many times the training photos by links to the same shards."""
    held = []
    for number in range(times):
        for shard in records.manifest.shards["train"]:
            name = f"{number}-{shard.name}"
            target = os.path.abspath(os.path.join(records.directory, shard.name))
            os.symlink(target, os.path.join(directory, name))
            held.append(shard.model_copy(update={"name": name}))
    records.vocabulary.save(os.path.join(directory, FILE_NAME))
    records.manifest.model_copy(update={"shards": {"train": held}}).save(directory)
    return RecordSet.open(directory)


def draw_photos(
    random: np.random.Generator,
    names: Sequence[str],
    vocabulary: Vocabulary,
    spec: schema.FeatureSpec,
) -> list[schema.PhotoRecord]:
    """Draws photos; lengths are dealt out so that 6,000 get the histogram exactly."""
    photos, deck = len(names), np.repeat(list(WORDS), list(WORDS.values()))
    lengths = np.resize(random.permutation(deck), photos * CAPTIONS_PER_PHOTO)
    ranks = np.arange(1, len(vocabulary) - 2)
    share = 1 / ranks / np.sum(1 / ranks)
    words = random.choice(ranks + 2, int(lengths.sum()), p=share)
    captions = np.split(words, np.cumsum(lengths)[:-1])
    return [
        draw_photo(random, name, captions[i::photos], vocabulary, spec)
        for i, name in enumerate(names)
    ]


def draw_photo(random, name, captions, vocabulary, spec) -> schema.PhotoRecord:
    tokens = [[vocabulary.tokens[i] for i in caption] for caption in captions]
    return schema.PhotoRecord(
        photo_id=name,
        photo_sha256=hashlib.sha256(name.encode()).digest(),
        features=np.abs(random.standard_normal(spec.shape, np.float32)).astype(
            spec.dtype
        ),
        captions=tuple(" ".join(caption) for caption in tokens),
        ids=tuple(tuple(vocabulary.encode(caption)) for caption in tokens),
    )


def write_shards(directory: str, photos: list[schema.PhotoRecord]) -> list:
    count = sharding.shard_count(len(photos), PHOTOS_PER_SHARD)
    held = [[] for _ in range(count)]
    for photo in photos:
        held[sharding.shard_of(photo.photo_id, count)].append(photo)
    return [
        write_shard(directory, sharding.shard_name("train", i, count), shard)
        for i, shard in enumerate(held)
    ]


def write_shard(directory: str, name: str, photos: list[schema.PhotoRecord]):
    with ShardWriter(directory, name) as writer:
        for photo in sorted(photos, key=lambda p: sharding.order_in_shard(p.photo_id)):
            writer.write(photo)
        return writer.close()


def make_manifest(
    held: dict[str, list[ShardInfo]],
    statistics: Statistics,
    vocabulary: Vocabulary,
    spec: schema.FeatureSpec,
    encoder: EncoderInfo | None = None,
    configuration: dict | None = None,
) -> Manifest:
    channels = spec.shape[-1]
    return Manifest(
        format=FORMAT,
        shards=held,
        features=spec,
        moments=FeatureStatistics(mean=[0.0] * channels, deviation=[1.0] * channels),
        encoder=encoder or noise(spec),
        tokenizer=TokenizerSettings(kind="word", min_letters=1, min_count=1, oov="unk"),
        vocabulary_sha256=vocabulary.digest,
        vocabulary_size=len(vocabulary),
        longest_caption=statistics.longest_caption,
        statistics=statistics,
        configuration=configuration or {},
        sources={"photos": "none"},
    )


def noise(spec: schema.FeatureSpec) -> EncoderInfo:
    """No encoder."""
    return EncoderInfo(
        name="noise",
        layer=None,
        pooling="grid" if len(spec.shape) == 3 else "avg",
        input_size=1,
        preprocessing="none",
        weights="random",
        digest="0" * 64,
    )


def caption_lengths(photos: Iterable[schema.PhotoRecord]) -> Counter:
    """Ids of a caption -> captions."""
    return Counter(len(ids) for photo in photos for ids in photo.ids)


def count_captions(lengths: Counter) -> Statistics:
    captions = lengths.total()
    photos = captions // CAPTIONS_PER_PHOTO
    return Statistics(
        photos_in=photos,
        photos_written=photos,
        rejected_photos={},
        captions_in=captions,
        captions_written=captions,
        rejected_captions={},
        tokens=sum(n * some for n, some in lengths.items()) - 2 * captions,
        out_of_vocabulary=0,
        caption_lengths=dict(sorted(lengths.items())),
        photo_formats={},
    )
