"""Records read by our own operations: TensorFlow's batches, byte for byte."""

import numpy as np
import pytest
import tensorflow as tf

from records import schema
from records.framing import frame
from records.schema import FeatureSpec
from tfcap.config import TrainingConfig
from tfcap.input_pipeline import scoring_batches, training_batches
from tfcap.record_readers import SOURCES, CompiledReader, TensorFlowReader, reader_of
from tfcap.static_shapes import RowCounts

GRID = FeatureSpec(shape=(3, 3, 5), dtype="float16")


def config(**changes) -> TrainingConfig:
    return TrainingConfig(**{"global_batch": 4, "seed": 3, **changes})


@pytest.fixture
def by_both(own_operations, monkeypatch):
    """Returns a function: what another one gives with one reader, and the other."""

    def both(read):
        ours = read()
        with monkeypatch.context() as patch:
            patch.setenv("TFCAP_COMPILE", "0")
            return ours, read()

    return both


def assert_same(ours, theirs):
    ours, theirs = list(ours), list(theirs)
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], strict=True)


def test_our_own_are_taken_where_they_can_be(make_records, by_both, monkeypatch):
    records = make_records()
    ours, theirs = by_both(lambda: reader_of(records, "train"))
    assert isinstance(ours, CompiledReader)
    assert isinstance(theirs, TensorFlowReader)
    photos = reader_of(records, "train", with_photos=True)
    elsewhere = reader_of(records, "train", elsewhere=True)
    monkeypatch.setattr("tfcap.record_readers.is_remote", lambda path: True)
    remote = reader_of(records, "train")
    for reader in (photos, elsewhere, remote):
        assert isinstance(reader, TensorFlowReader)


def test_the_first_that_cannot_be_had_is_the_last_asked_for(make_records, monkeypatch):
    asked = []
    monkeypatch.setattr("records.compiled.operations", asked.append)
    assert isinstance(reader_of(make_records(), "train"), TensorFlowReader)
    assert asked == list(SOURCES[:1])


@pytest.mark.parametrize("expansion", ["prefix", "causal"])
@pytest.mark.parametrize("spec", [None, GRID])
def test_training_batches_are_the_same(make_records, by_both, expansion, spec):
    records = make_records(spec=spec)
    settings = config(expansion=expansion, shuffle_photos=8)
    ours, theirs = by_both(
        lambda: training_batches(records, settings, 1, skip_steps=2, epochs=2)
    )
    assert ours.element_spec["features"].shape[1:] == records.manifest.features.shape
    assert_same(ours, theirs)


def test_parts_of_replicas_are_the_same(make_records, by_both):
    records = make_records()
    context = tf.distribute.InputContext(2, 1, 4)
    ours, theirs = by_both(lambda: training_batches(records, config(), 0, 0, context))
    assert_same(ours, theirs)


def test_padded_and_scoring_batches_are_the_same(make_records, by_both):
    records = make_records()
    counts = RowCounts(records, "dev")
    assert_same(
        *by_both(lambda: scoring_batches(records, "dev", config(), counts=counts))
    )


def test_long_and_short_records_pass_their_checksums(make_records, compiled_reader):
    for size in (12, 496, 504, 508, 512, 516, 520, 544, 4096, 100_000):
        spec = FeatureSpec(shape=(size // 4,), dtype="float32")
        records = make_records({"train": 3, "dev": 1}, spec, name=f"of_{size}")
        reader = compiled_reader(records)
        for photo in reader.photos(tf.constant([0], tf.int64)).batch(1):
            assert reader.parse(photo)["features"].shape == [1, size // 4]


def read_all(reader):
    shards = tf.range(len(reader.paths), dtype=tf.int64)
    return [reader.parse(photos) for photos in reader.photos(shards).batch(4)]


def shard_of(records) -> str:
    return records.shard_paths("train")[0]


def rewrite(path: str, change) -> None:
    with open(path, "r+b") as file:
        content = change(file.read())
        file.seek(0)
        file.write(content)
        file.truncate()


def flipped(content: bytes, place: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 4
    return bytes(changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: flipped(content, 3), "at byte 0: its length does not fit"),
        (lambda content: flipped(content, 60), "at byte 0: it does not fit"),
        (lambda content: flipped(content, -1), "it does not fit its checksum"),
        (lambda content: content[:-1], "truncated"),
        (lambda content: content[:5], "at byte 0: truncated"),
        (lambda content: content + b"\0", "truncated"),
        (lambda _: frame(b""), "not a photo record"),
        (lambda _: frame(b"\x0a\x7f"), "not a photo record"),
        (lambda _: frame(b"\xff" * 40), "not a photo record"),
    ],
)
def test_a_damaged_shard_is_named(make_records, compiled_reader, change, message):
    records = make_records()
    rewrite(shard_of(records), change)
    with pytest.raises(tf.errors.DataLossError, match=message) as raised:
        read_all(compiled_reader(records))
    assert shard_of(records) in raised.value.message


def test_a_missing_shard_is_named(make_records, compiled_reader, tmp_path):
    records = make_records()
    reader = compiled_reader(records)
    tmp_path.joinpath(shard_of(records)).unlink()
    with pytest.raises(tf.errors.NotFoundError, match="train-00000"):
        read_all(reader)


def example(**columns) -> bytes:
    """A record of these columns; `image_features` for `image/features`."""
    feature = {}
    for name, values in columns.items():
        kind = "bytes_list" if isinstance(values[0], bytes) else "int64_list"
        one = tf.train.Feature()
        getattr(one, kind).value.extend(values)
        feature[name.replace("_", "/", 1)] = one
    features = tf.train.Features(feature=feature)
    return tf.train.Example(features=features).SerializeToString()


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, None),
        ({"caption_ids": [1, 4, 2, 5]}, "not a photo record"),
        ({"caption_lengths": [4]}, "not a photo record"),
        ({"caption_lengths": [-1, 4]}, "not a photo record"),
        ({"caption_lengths": [2**40]}, "not a photo record"),
        ({"caption_ids": [b"1"]}, "not a photo record"),
        ({"image_features": [3]}, "not a photo record"),
        ({"image_features": [b"1234"]}, "features of another size"),
    ],
)
def test_a_record_that_is_no_photos_is_refused(
    make_records, compiled_reader, columns, message
):
    records = make_records({"train": 1, "dev": 1})
    features = b"\0" * records.manifest.features.bytes
    whole = {
        "image_features": [features],
        "caption_ids": [1, 4, 2],
        "caption_lengths": [3],
    }
    content = frame(example(**{**whole, **columns}))
    rewrite(shard_of(records), lambda _: content)
    reader = compiled_reader(records)
    if message is None:
        assert read_all(reader)[0]["tokens"].numpy().tolist() == [[1, 4, 2]]
        return
    with pytest.raises(tf.errors.DataLossError, match=message):
        read_all(reader)


def test_no_record_makes_it_read_outside(make_records, compiled_reader):
    records = make_records({"train": 1, "dev": 1})
    (serialized,) = tf.data.TFRecordDataset(shard_of(records)).as_numpy_iterator()
    random, reader = np.random.default_rng(0), compiled_reader(records)
    refused = 0
    for _ in range(100):
        changed = bytearray(serialized)
        for place in random.integers(len(changed), size=random.integers(1, 4)):
            changed[place] = random.integers(256)
        content = frame(bytes(changed[: random.integers(len(changed) // 2, 1 << 20)]))
        rewrite(shard_of(records), lambda _, content=content: content)
        try:
            read_all(reader)
        except tf.errors.DataLossError:
            refused += 1
    assert refused > 10


def test_a_place_in_no_shard_is_refused(make_records, compiled_reader):
    reader = compiled_reader(make_records())
    with pytest.raises(tf.errors.InvalidArgumentError, match="shard 99 of"):
        reader.reading.tfcap_index_shards(reader.paths, tf.constant([99], tf.int64))
    with pytest.raises(tf.errors.InvalidArgumentError, match="shard -1 of"):
        reader.parse(tf.constant([[-1, 0, 10]], tf.int64))
    with pytest.raises(tf.errors.DataLossError, match="truncated"):
        reader.parse(tf.constant([[0, 1 << 40, 10]], tf.int64))


def test_captions_of_any_number_of_ids_are_padded_alike(make_records, compiled_reader):
    records = make_records()
    records_of_dev = [
        schema.decode(photo, records.manifest.features)
        for path in records.shard_paths("dev")
        for photo in tf.data.TFRecordDataset(path).as_numpy_iterator()
    ]
    reader = compiled_reader(records, "dev")
    tokens = np.concatenate([batch["tokens"] for batch in read_all(reader)])
    expected = [ids for record in records_of_dev for ids in record.ids]
    assert [tuple(row[row > 0]) for row in tokens] == expected
