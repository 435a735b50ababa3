"""What the Beam job is measured against: the same work in a plain loop."""

import hashlib
from collections import Counter, defaultdict
from pathlib import Path

import keras
import numpy as np

from beam_jobs.build_job import Job
from beam_jobs.elements import Caption, Photo, SourceFile
from beam_jobs.io.photo_files import read_photo
from beam_jobs.sources.line_source import parse_token_line
from beam_jobs.sources.lines import read_lines
from beam_jobs.transforms.write_shard import Tally
from records.format import sharding
from records.format.schema import PhotoRecord
from records.format.shard_writer import ShardWriter
from records.text.tokenizer import Tokenizer
from records.text.vocabulary import Vocabulary
from tests.benchmarks.photo_set import PhotoSet
from tfcap.encoders import Encoder


def encode_in_batches(paths: list[str], encoder: Encoder, size: int) -> None:
    """The bare loop, the limit: the job's graph and batches, nothing kept."""
    for start in range(0, len(paths), size):
        contents = [Path(path).read_bytes() for path in paths[start : start + size]]
        encoder.encode(contents)


def predict_one_by_one(paths: list[str], model: keras.Model, size: int) -> None:
    """The notebook's loop: one `predict` a photo."""
    preprocess = keras.applications.inception_v3.preprocess_input
    for path in paths:
        image = keras.utils.load_img(path, target_size=(size, size))
        pixels = np.expand_dims(keras.utils.img_to_array(image), 0)
        model.predict(preprocess(pixels), verbose=0)


def build_without_beam(data: PhotoSet, job: Job, encoder: Encoder) -> None:
    """The training shards, byte for byte, by the job's own parts but without Beam."""
    tokenizer = Tokenizer(job.config.tokenizer)
    captions = read_captions(data)
    rows = []
    for start in range(0, len(captions), 1024):
        rows += tokenizer.words([c.text for c in captions[start : start + 1024]])
    vocabulary = tokenizer.build_vocabulary(
        Counter(word for row in rows for word in row)
    )
    by_photo = defaultdict(list)
    for caption, tokens in zip(captions, tokenizer.tokens(rows, vocabulary)):
        by_photo[caption.photo_id].append(caption._replace(tokens=tuple(tokens)))
    count = sharding.shard_count(len(by_photo), job.config.records.photos_per_shard)
    cut = defaultdict(list)
    for photo_id, found in by_photo.items():
        cut[sharding.shard_of(photo_id, count)].append(
            make_photo(data, photo_id, found)
        )
    for index, photos in cut.items():
        name = sharding.shard_name("train", index, count)
        write_shard(job, name, photos, encoder, vocabulary)


def read_captions(data: PhotoSet) -> list[Caption]:
    training = set(data.training)
    lines = read_lines(str(data.captions))
    captions = (parse_token_line(line, f"{data.captions}:{n}") for n, line in lines)
    return [caption for caption in captions if caption.photo_id in training]


def make_photo(data: PhotoSet, photo_id: str, captions: list[Caption]) -> Photo:
    path = data.photos / photo_id
    file = SourceFile(photo_id, str(path), path.stat().st_size, 0.0)
    return Photo(photo_id, "train", file, tuple(captions))


def write_shard(
    job: Job, name: str, photos: list[Photo], encoder: Encoder, vocabulary: Vocabulary
) -> None:
    photos.sort(key=lambda photo: sharding.order_in_shard(photo.photo_id))
    size, tally = job.config.records.encoder_batch, Tally(vocabulary, measure=True)
    with ShardWriter(job.output, name) as writer:
        for start in range(0, len(photos), size):
            batch = photos[start : start + size]
            contents = [read_photo(photo.file.path) for photo in batch]
            features, _ = encoder.encode([content for content, _ in contents])
            for photo, (content, kind), vector in zip(batch, contents, features):
                record = make_record(photo, content, vector, vocabulary)
                writer.write(record)
                tally.add(photo, record, kind)
        writer.close()


def make_record(
    photo: Photo, content: bytes, features: np.ndarray, vocabulary: Vocabulary
) -> PhotoRecord:
    return PhotoRecord(
        photo_id=photo.photo_id,
        photo_sha256=hashlib.sha256(content).digest(),
        features=features,
        captions=tuple(caption.text for caption in photo.captions),
        ids=tuple(tuple(vocabulary.encode(c.tokens)) for c in photo.captions),
    )
