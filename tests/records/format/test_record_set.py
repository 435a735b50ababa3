import re

import pytest

from records.errors import UserError
from records.format.manifest import FILE_NAME
from records.format.record_set import RecordSet, read_shard
from records.format.tfrecord import frame
from records.text.vocabulary import FILE_NAME as VOCABULARY

SHARD = "train-00001-of-00003.tfrecord"


def test_opens_and_reads(record_set):
    opened = RecordSet.open(str(record_set))
    paths = opened.shard_paths("train")
    assert [path.rsplit("/", 1)[1] for path in paths] == [
        f"train-0000{i}-of-00003.tfrecord" for i in range(3)
    ]
    records = list(opened.records("train"))
    assert sorted(r.photo_id for r in records) == sorted(
        f"train{i}.jpg" for i in range(12)
    )
    assert opened.vocabulary.decode(records[0].ids[0])


def test_the_same_input_gives_the_same_bytes(make_record_set):
    one, other = make_record_set(), make_record_set()
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir())
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def refused(directory, message):
    with pytest.raises(UserError, match=message):
        RecordSet.open(str(directory))


def test_no_manifest(record_set):
    (record_set / FILE_NAME).unlink()
    refused(record_set, r"is not a record set: it has no dataset\.json")


def test_another_format(record_set, edit_manifest):
    edit_manifest(record_set, format=2)
    refused(record_set, r"a newer tfcap \(format 2, this one reads 1\)")


def test_a_missing_shard(record_set):
    (record_set / SHARD).unlink()
    refused(record_set, f"{SHARD} is missing; the manifest lists it")


def test_a_work_directory_in_the_place_of_its_records(record_set):
    for shard in record_set.glob("*.tfrecord"):
        shard.unlink()
    refused(
        record_set, r"none of the shards that its dataset\.json lists\. A run's work"
    )


def test_a_truncated_shard(record_set):
    path = record_set / SHARD
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-5])
    refused(record_set, f"{SHARD} has {size - 5} bytes; the manifest says {size}")


def test_another_vocabulary(record_set):
    path = record_set / VOCABULARY
    path.write_text(path.read_text().replace("dog\n", "dig\n"))
    refused(record_set, r"vocabulary\.txt is not the vocabulary these records were wri")


def test_no_vocabulary(record_set):
    (record_set / VOCABULARY).unlink()
    refused(record_set, r"no vocabulary at .*vocabulary\.txt")


@pytest.mark.parametrize("split", ["test", "trian"])
def test_a_split_without_photos_names_those_that_have_some(record_set, split):
    opened = RecordSet.open(str(record_set))
    message = rf"has no photo in split '{split}'; it has 5 in dev, 12 in train"
    with pytest.raises(UserError, match=message):
        opened.shard_paths(split)


def test_a_flipped_bit_names_shard_and_record(record_set, flip_bit):
    path = record_set / "dev-00000-of-00002.tfrecord"
    whole = list(read_shard(str(path)))
    assert len(whole) > 1
    flip_bit(path, record=1)
    records = read_shard(str(path))
    assert next(records) == whole[0]
    with pytest.raises(
        UserError, match=rf"{re.escape(str(path))}: record 1 is damaged"
    ):
        next(records)


def test_a_record_that_is_none_of_a_photo_names_shard_and_record(record_set):
    opened, path = RecordSet.open(str(record_set)), record_set / SHARD
    path.write_bytes(frame(b"no photo") + path.read_bytes())
    message = f"{SHARD}: record 0: not a photo record"
    with pytest.raises(UserError, match=message):
        list(opened.records("train"))


def test_a_file_cut_inside_a_record_names_shard_and_record(record_set):
    path = record_set / SHARD
    whole = list(read_shard(str(path)))
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match=f"{SHARD}: record {len(whole) - 1} is damaged"):
        list(read_shard(str(path)))
