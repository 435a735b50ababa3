import dataclasses
import hashlib

import numpy as np
import pytest
import tensorflow as tf

from records.errors import UserError
from records.format import schema
from records.format.schema import (
    FeatureSpec,
    PhotoRecord,
    decode,
    encode,
    parse_batch,
)

SPEC = FeatureSpec(shape=(4,), dtype="float32")
PINNED = PhotoRecord(
    photo_id="a.jpg",
    photo_sha256=bytes(range(32)),
    features=np.array([0.0, 1.5, -2.0, 3.25], np.float32),
    captions=("A dog runs .", "Ein Hund läuft ."),
    ids=((1, 4, 5, 2), (1, 3, 2)),
)


def same(one: PhotoRecord, other: PhotoRecord) -> bool:
    first, second = dataclasses.asdict(one), dataclasses.asdict(other)
    features, others = first.pop("features"), second.pop("features")
    same_type = features.dtype == others.dtype and features.shape == others.shape
    return first == second and same_type and features.tobytes() == others.tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("shape", [(4,), (2, 2, 3)])
@pytest.mark.parametrize("encoded", [None, b"\xff\xd8 the photo itself"])
def test_round_trip_bit_for_bit(make_record, dtype, shape, encoded):
    record = make_record(shape=shape, dtype=dtype, encoded=encoded)
    spec = FeatureSpec(shape=shape, dtype=dtype)
    assert same(decode(encode(record), spec), record)


def test_bits_that_floats_seldom_have(make_record):
    odd = np.array([np.nan, -np.inf, -0.0, 1e-45], np.float32)
    record = dataclasses.replace(make_record(), features=odd)
    assert same(decode(encode(record), SPEC), record)


def test_big_endian_and_strided_features_are_stored_alike(make_record):
    record = make_record(shape=(4, 2))
    big = dataclasses.replace(record, features=record.features.astype(">f4"))
    strided = dataclasses.replace(record, features=np.asfortranarray(record.features))
    assert encode(big) == encode(strided) == encode(record)


def test_the_bytes_of_a_record_never_change():
    digest = hashlib.sha256(encode(PINNED)).hexdigest()
    assert digest == "a24e6aa01b1f46f906274ab4b0330d18c77925a76f8a9c93ea011abec2021e22"


def test_a_record_without_captions_round_trips(make_record):
    record = make_record(captions=(), ids=())
    assert same(decode(encode(record), SPEC), record)


@pytest.mark.parametrize(
    ("shape", "dtype", "size"),
    [((4,), "float32", 16), ((4,), "float16", 8), ((8, 8, 3), "float32", 768)],
)
def test_bytes_of_features(shape, dtype, size):
    assert FeatureSpec(shape=shape, dtype=dtype).bytes == size


@pytest.mark.parametrize(
    "dtype", ["float32", pytest.param("float16", id="half of the bytes")]
)
def test_parse_batch_agrees_with_decode(make_record, dtype):
    spec = FeatureSpec(shape=(2, 3), dtype=dtype)
    ids = [((1, 4, 5, 2),), ((1, 2), (1, 7, 2), (1, 8, 9, 9, 2)), (), ((1, 6, 2),) * 2]
    records = [
        make_record(f"{i}.jpg", ("text",) * len(rows), rows, (2, 3), dtype)
        for i, rows in enumerate(ids)
    ]
    serialized = [encode(record) for record in records]
    batch = parse_batch(tf.constant(serialized), spec)
    decoded = [decode(one, spec) for one in serialized]
    assert batch["photo_id"].numpy().tolist() == [
        b"0.jpg",
        b"1.jpg",
        b"2.jpg",
        b"3.jpg",
    ]
    assert batch["features"].dtype == dtype
    expected = np.stack([record.features for record in decoded])
    np.testing.assert_array_equal(batch["features"], expected)
    rows = [[list(row) for row in record.ids] for record in decoded]
    assert batch["ids"].to_list() == rows


def test_parse_batch_inside_a_dataset(make_record):
    records = [make_record(f"{i}.jpg") for i in range(5)]
    serialized = tf.constant([encode(record) for record in records])
    dataset = tf.data.Dataset.from_tensor_slices(serialized).batch(3)
    batches = list(dataset.map(lambda batch: parse_batch(batch, SPEC)))
    direct = parse_batch(serialized, SPEC)
    features = np.concatenate([batch["features"] for batch in batches])
    np.testing.assert_array_equal(features, direct["features"])
    ids = [row for batch in batches for row in batch["ids"].to_list()]
    assert ids == direct["ids"].to_list()
    assert batches[0]["ids"].dtype == tf.int64


def broken(record: PhotoRecord, column: str, values: list) -> bytes:
    example = tf.train.Example.FromString(encode(record))
    feature = example.features.feature[column]
    kind = "int64_list" if column == schema.LENGTHS else "bytes_list"
    del getattr(feature, kind).value[:]
    getattr(feature, kind).value.extend(values)
    return example.SerializeToString()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (schema.PHOTO_ID, [], r"not a photo record \(ValueError\)"),
        (schema.PHOTO_ID, [b"a", b"b"], r"not a photo record \(ValueError\)"),
        (schema.PHOTO_ID, [b"\xff"], r"not a photo record \(UnicodeDecodeError\)"),
        (schema.TEXT, [b"\xff"], r"not a photo record \(UnicodeDecodeError\)"),
        (schema.FEATURES, [], r"not a photo record \(ValueError\)"),
        (
            schema.FEATURES,
            [b"123"],
            r"features of a\.jpg take 3 bytes; \[4\] float32 takes 16",
        ),
        (schema.LENGTHS, [4, 4], r"caption lengths sum to 8, not 7 ids"),
    ],
)
def test_what_decode_says_of_a_broken_record(make_record, column, values, message):
    with pytest.raises(UserError, match=message):
        decode(broken(make_record(), column, values), SPEC)


def test_what_decode_says_of_other_bytes():
    with pytest.raises(UserError, match=r"not a photo record \(DecodeError\)"):
        decode(b"no protocol buffer", SPEC)


def test_a_feature_spec_refuses_other_types():
    with pytest.raises(ValueError, match="float32"):
        FeatureSpec(shape=(4,), dtype="float64")


def test_a_record_without_an_id_or_with_other_features_is_refused(make_record):
    record = make_record()
    for content in (b"", broken(record, schema.PHOTO_ID, [])):
        with pytest.raises(UserError, match="not a photo record"):
            decode(content, SPEC)
    with pytest.raises(UserError, match=r"features of .* take 1 bytes"):
        decode(broken(record, schema.FEATURES, [b"x"]), SPEC)
