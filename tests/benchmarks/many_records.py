"""A record set of more photos than memory has room for, drawn a shard at a time."""

from collections import Counter

import numpy as np

from records.format import schema, sharding
from records.format.manifest import EncoderInfo
from records.format.record_set import RecordSet
from records.text.vocabulary import FILE_NAME
from tests.benchmarks.record_set import (
    caption_lengths,
    count_captions,
    draw_photos,
    make_manifest,
    make_vocabulary,
    write_shard,
)
from tfcap.config.experiment import Config

PHOTOS_PER_SHARD = 8192


def make_many_records(
    directory: str,
    photos: dict[str, int],
    vocabulary_size: int,
    features: schema.FeatureSpec,
    encoder: EncoderInfo,
    config: Config,
) -> RecordSet:
    """Writes the given number of photos of each split, and opens the record set."""
    random, vocabulary = np.random.default_rng(0), make_vocabulary(vocabulary_size)
    held, lengths = {split: [] for split in photos}, Counter()
    for split, count in photos.items():
        for name, names in names_by_shard(split, count).items():
            drawn = draw_photos(random, names, vocabulary, features)
            lengths += caption_lengths(drawn)
            held[split].append(write_shard(directory, name, drawn))
    vocabulary.save(f"{directory}/{FILE_NAME}")
    made_with = config.model_dump(mode="json")
    statistics = count_captions(lengths)
    manifest = make_manifest(held, statistics, vocabulary, features, encoder, made_with)
    manifest.save(directory)
    return RecordSet.open(directory)


def names_by_shard(split: str, photos: int) -> dict[str, list[str]]:
    """Photos by the shard that their hashes put them in."""
    count = sharding.shard_count(photos, PHOTOS_PER_SHARD)
    names = [[] for _ in range(count)]
    for i in range(photos):
        name = f"{split}{i:07d}.jpg"
        names[sharding.shard_of(name, count)].append(name)
    return {sharding.shard_name(split, i, count): own for i, own in enumerate(names)}
