"""The code of `docs/reference/record_format.md` reads what the package writes."""

import re
from pathlib import Path

import numpy as np
import pytest

from records.format import schema
from records.format.record_set import RecordSet

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "record_format.md"
PLAIN, TF_DATA, TORCH = re.findall(
    r"```python\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL
)
MOST_LINES = 80


def run(*code: str) -> dict:
    names: dict = {}
    exec("\n".join(code), names)
    return names


@pytest.fixture
def records(record_set) -> RecordSet:
    return RecordSet.open(str(record_set))


@pytest.fixture
def written(records) -> dict[str, schema.PhotoRecord]:
    import tensorflow as tf

    photos = tf.data.TFRecordDataset(records.shard_paths("train"))
    spec = records.manifest.features
    found = [schema.decode(photo, spec) for photo in photos.as_numpy_iterator()]
    return {photo.photo_id: photo for photo in found}


def test_plain_python_reads_every_record(records, written):
    found = list(run(PLAIN)["read_records"](records.directory, "train"))
    assert [photo["id"] for photo in found] == list(written)
    for photo in found:
        record = written[photo["id"]]
        assert photo["sha256"] == record.photo_sha256.hex()
        np.testing.assert_array_equal(photo["features"], record.features)
        assert photo["captions"] == list(record.captions)
        assert photo["ids"] == [list(ids) for ids in record.ids]


def test_the_plain_reader_is_short():
    assert sum(bool(line.strip()) for line in PLAIN.splitlines()) <= MOST_LINES


def test_a_newer_format_is_refused(record_set):
    path = record_set / "dataset.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(ValueError, match="format 2; this reads format 1"):
        next(run(PLAIN)["read_records"](record_set, "train"))


def test_tf_data_reads_every_record(records, written):
    batches = list(run(TF_DATA)["make_dataset"](records.directory, "train", batch=2))
    features = np.concatenate([features for features, _ in batches])
    ids = [photo for _, batch in batches for photo in batch.to_list()]
    expected = list(written.values())
    np.testing.assert_array_equal(features, [one.features for one in expected])
    assert ids == [[list(caption) for caption in one.ids] for one in expected]


def test_pytorch_reads_every_caption(records, written):
    pytest.importorskip("torch", reason="needs PyTorch")
    captions = list(run(PLAIN, TORCH)["Captions"](records.directory, "train"))
    assert len(captions) == sum(len(one.ids) for one in written.values())
