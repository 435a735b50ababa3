"""A split's captions alone are those of its whole records."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from records.errors import UserError
from records.format import caption_reader, schema
from records.format.caption_reader import CaptionIds, read_ids, read_texts
from records.format.record_set import RecordSet
from records.format.tfrecord import frame


@pytest.fixture(params=[1 << 14, 8], ids=["small", "large"])
def records(record_set, request, monkeypatch):
    """Records that are read whole, and such that are not."""
    monkeypatch.setattr("records.format.column_reader.WHOLE", request.param)
    return RecordSet.open(str(record_set))


def test_texts(records):
    expected = [(one.photo_id, one.captions) for one in records.records("train")]
    assert list(read_texts(records, "train")) == expected


@pytest.mark.parametrize("at_once", [3, 1024])
def test_ids(records, monkeypatch, at_once):
    monkeypatch.setattr(caption_reader, "AT_ONCE", at_once)
    found = read_ids(records, "train")
    expected = [one.ids for one in records.records("train")]
    captions = [list(caption) for own in expected for caption in own]
    assert found.captions.tolist() == [len(own) for own in expected]
    assert found.lengths.tolist() == list(map(len, captions))
    assert found.tokens.tolist() == [*itertools.chain(*captions)]
    assert found.tokens.dtype == np.uint8


@pytest.mark.parametrize("photos", [1, 2, 3, 4, 9])
def test_parts_joined_are_the_whole(photos):
    lengths, captions = np.array([2, 0, 3, 1], np.int32), np.array([1, 0, 2, 1, 0])
    whole = CaptionIds(np.arange(6, dtype=np.uint16), lengths, captions)
    parts = list(whole.parts(photos))
    assert [len(part.captions) for part in parts[:-1]] == [photos] * (len(parts) - 1)
    for part in parts:
        assert part.lengths.sum() == len(part.tokens)
        assert part.captions.sum() == len(part.lengths)
    for own, expected in zip(CaptionIds.joined(parts), whole, strict=True):
        np.testing.assert_array_equal(own, expected, strict=True)


def test_lengths_that_do_not_add_up_are_refused(record_set):
    records = RecordSet.open(str(record_set))
    numbers = {schema.IDS: [1, 4, 2], schema.LENGTHS: [2]}
    columns = {
        name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        for name, values in numbers.items()
    }
    example = tf.train.Example(features=tf.train.Features(feature=columns))
    with open(records.shard_paths("train")[0], "wb") as file:
        file.write(frame(example.SerializeToString()))
    with pytest.raises(UserError, match=r"00000-of-00003.*lengths do not sum"):
        read_ids(records, "train")
    with pytest.raises(UserError, match="record 0: not a photo record"):
        list(read_texts(records, "train"))
