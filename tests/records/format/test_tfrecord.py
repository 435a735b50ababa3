"""The TFRecord format, against TensorFlow's own."""

import io

import pytest
import tensorflow as tf

from records.format.tfrecord import frame, read_body, read_length

RECORDS = [b"", b"one", bytes(range(256)) * 300]


def test_bytes_are_those_that_tensorflow_writes(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "shard")) as writer:
        for record in RECORDS:
            writer.write(record)
    assert (tmp_path / "shard").read_bytes() == b"".join(map(frame, RECORDS))


def test_what_is_framed_is_read(tmp_path):
    file = io.BytesIO(b"".join(map(frame, RECORDS)))
    assert [read_body(file, read_length(file)) for _ in RECORDS] == RECORDS
    with pytest.raises(EOFError):
        read_length(file)


@pytest.mark.parametrize("at", range(12 + 3 + 4))
def test_every_byte_counts(at):
    content = bytearray(frame(b"one"))
    content[at] ^= 1
    file = io.BytesIO(content)
    length = read_length(file)
    assert length is None if at < 12 else read_body(file, length) is None


@pytest.mark.parametrize("size", range(1, 12 + 3 + 4))
def test_a_record_cut_short_is_damaged(size):
    file = io.BytesIO(frame(b"one")[:size])
    length = read_length(file)
    assert length is None if size < 12 else read_body(file, length) is None
