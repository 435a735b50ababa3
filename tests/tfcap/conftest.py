"""A small record set whose captions can be told from the features."""

import hashlib
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from records.format import sharding
from records.format.manifest import (
    FORMAT,
    EncoderInfo,
    FeatureStatistics,
    Manifest,
    Statistics,
)
from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec, PhotoRecord
from records.format.shard_writer import ShardWriter
from records.text.tokenizer import TokenizerSettings
from records.text.vocabulary import FILE_NAME, Vocabulary
from tfcap.config.experiment import Config
from tfcap.config.loading import parse_config
from tfcap.models import build_model
from tfcap.ops import compilation
from tfcap.ops.dispatch import kernels_for, native_ops
from tfcap.runs.workdir import Progress, Workdir

for folder in ("datasets", "models", "runs", "training"):
    sys.path.insert(0, str(Path(__file__).parent / folder))
sys.path.insert(0, str(Path(__file__).parent))  # for drawn_photos and others

SMALL = {"image_units": 8, "lstm_units": 8, "embedding_units": 4}
WORDS = ["a", "dog", "cat", "runs", "sleeps", "on", "grass", "snow"]
ENCODER = EncoderInfo(
    name="fake",
    layer=None,
    pooling="avg",
    input_size=8,
    preprocessing="none",
    weights="none",
    digest="d" * 64,
)


def caption_of(kind: int) -> str:
    """The caption of a photo whose features say `kind` (0 to 7)."""
    return (
        f"a {('dog', 'cat')[kind & 1]} {('runs', 'sleeps')[kind >> 1 & 1]} on "
        f"{('grass', 'snow')[kind >> 2 & 1]}"
    )


def photo_of(kind: int, rng) -> bytes:
    """A JPEG of 40 x 32 whose colour says `kind`, a stripe at a random height."""
    pixels = np.zeros([32, 40, 3], np.uint8)
    pixels[:] = [40 + 160 * (kind >> bit & 1) for bit in range(3)]
    pixels[rng.integers(28) :][:4] = rng.integers(256, size=3)
    return tf.io.encode_jpeg(pixels).numpy()


def photo_record(
    name: str, kind: int, rng, spec: FeatureSpec, words: Vocabulary, encoded=None
):
    """One photo with two captions, one of them short."""
    features = rng.normal(0, 0.1, spec.shape)
    features[..., :3] += [2 * (kind >> bit & 1) - 1 for bit in range(3)]
    captions = (caption_of(kind), " ".join(caption_of(kind).split()[1:3]))
    return PhotoRecord(
        photo_id=name,
        photo_sha256=hashlib.sha256(encoded or name.encode()).digest(),
        features=features.astype(spec.dtype),
        captions=captions,
        ids=tuple(tuple(words.encode(caption.split())) for caption in captions),
        encoded=encoded,
    )


@pytest.fixture(scope="session")
def write_records():
    """The function below, for fixtures of any scope."""
    return write_record_set


@pytest.fixture(scope="session")
def loss_curve():
    """Returns the function from a work directory to the losses in TensorBoard."""

    def read(workdir, kind: str) -> list[float]:
        (events,) = Path(workdir, "tensorboard", kind).iterdir()
        return [
            float(tf.make_ndarray(value.tensor))
            for event in tf.compat.v1.train.summary_iterator(str(events))
            for value in event.summary.value
            if value.tag == "loss"
        ]

    return read


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, one for all tests of pages."""
    pytest.importorskip("selenium", reason="needs the extra: pip install 'tfcap[dev]'")
    import chromium

    with chromium.started() as browser:
        yield browser


@pytest.fixture(scope="module")
def a_gpu():
    """Names a GPU to whatever asks TensorFlow for its devices, such as Keras' LSTM."""
    named = tf.config.list_logical_devices
    gpu = tf.config.LogicalDevice("/gpu:0", "GPU")

    def list_devices(device_type=None):
        gpus = [gpu] if device_type in (None, "GPU") else []
        return [*named(device_type), *gpus]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.config, "list_logical_devices", list_devices)
        yield


@pytest.fixture
def make_records(tmp_path):
    """Returns `write_record_set` for directories in this test's own folder."""

    def make(sizes=None, spec=None, name="records", **settings) -> RecordSet:
        return write_record_set(tmp_path / name, sizes, spec, **settings)

    return make


@pytest.fixture(scope="session")
def step_operations():
    """Those of a training step in C++, compiled; skips where they cannot be."""
    skip_without_compiler()
    with kernels_for("CPU"):
        own = native_ops(tf.zeros([]))
    assert own, "there is a compiler, and they do not compile"
    return own


def skip_without_compiler():
    name = compilation.compiler()[0]
    if not shutil.which(name):
        pytest.skip(f"needs a C++ compiler, {name}")
    if os.environ.get(compilation.VARIABLE) == "0":
        pytest.skip(f"{compilation.VARIABLE}=0 refuses operations of our own")


@pytest.fixture
def write_run(tmp_path):
    """Returns a function that writes runs whose models have learnt nothing yet."""

    def write(records: RecordSet, name="run", seed=0, model=SMALL, **training):
        content = {"model": model, "training": {"seed": seed, **training}}
        config = parse_config(content, "test")
        workdir = Workdir.create_or_resume(str(tmp_path / name), config, records)
        model = build_model(config, records.manifest, records.vocabulary)
        progress = Progress()
        progress.epoch.assign(seed + 1)
        state = tf.train.Checkpoint(model=model, progress=progress)
        for kept in workdir.last_and_best():
            kept.save(state)
        return Workdir.open(workdir.path)

    return write


def write_record_set(
    directory, sizes=None, spec=None, config=None, encoder=ENCODER
) -> RecordSet:
    """Writes a record set and opens it.

    `sizes` gives the photos of each split; features are [4] or of `spec`'s shape. With
    `config.records.keep_photos` there are photos, of which they are not the features.
    """
    sizes = sizes or {"train": 21, "dev": 7}
    spec = spec or FeatureSpec(shape=(4,), dtype="float32")
    directory = str(directory)
    os.makedirs(directory)
    words = Vocabulary.from_counts(dict.fromkeys(WORDS, 1), 1, True)
    words.save(os.path.join(directory, FILE_NAME))
    config = config or Config()
    kept = config.records.keep_photos
    held = {
        split: write_split(directory, split, count, spec, words, kept)
        for split, count in sizes.items()
    }
    manifest = make_manifest(held, spec, words, config, encoder)
    manifest.save(directory)
    return RecordSet.open(directory)


def write_split(directory, split, count, spec, words, keep_photos):
    rng = np.random.default_rng(sharding.SPLITS.index(split))
    names = [f"{split}{i}.jpg" for i in range(count)]
    records = []
    for i, name in enumerate(names):
        photo = photo_of(i % 8, rng) if keep_photos else None
        records.append(photo_record(name, i % 8, rng, spec, words, photo))
    records.sort(key=lambda record: sharding.order_in_shard(record.photo_id))
    cut = sharding.shard_count(count, 8)
    infos = []
    for index in range(cut):
        with ShardWriter(directory, sharding.shard_name(split, index, cut)) as writer:
            for record in records:
                if sharding.shard_of(record.photo_id, cut) == index:
                    writer.write(record)
            infos.append(writer.close())
    return infos


def make_manifest(held, spec, words, config, encoder):
    channels = spec.shape[-1]
    photos = sum(shard.photos for shards_ in held.values() for shard in shards_)
    return Manifest(
        format=FORMAT,
        shards=held,
        features=spec,
        moments=FeatureStatistics(mean=[0.0] * channels, deviation=[1.0] * channels),
        encoder=encoder,
        tokenizer=TokenizerSettings(kind="word", min_letters=1, min_count=1, oov="unk"),
        vocabulary_sha256=words.digest,
        vocabulary_size=len(words),
        longest_caption=7,
        statistics=Statistics(
            photos_in=photos,
            photos_written=photos,
            rejected_photos={},
            captions_in=2 * photos,
            captions_written=2 * photos,
            rejected_captions={},
            tokens=7 * photos,
            out_of_vocabulary=0,
            caption_lengths={4: photos, 7: photos},
            photo_formats={"JPEG": photos},
        ),
        configuration=config.model_dump(mode="json"),
        sources={"photos": "photos"},
    )
