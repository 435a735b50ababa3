import dataclasses
import hashlib

import numpy as np
import pytest

from records.errors import UserError
from records.format.record_set import RecordSet
from records.inspection.samples import moments, sample_splits

PHOTO = b"the photo"


def first_of_dev(directory, photos=None):
    (sample,) = sample_splits(RecordSet.open(str(directory)), 1, photos)["dev"]
    return sample


@pytest.fixture
def changed(make_record_set):
    """A record set whose first dev record has other fields."""

    def make(**fields):
        def rearrange(arranged):
            arranged["dev"][0][0] = dataclasses.replace(arranged["dev"][0][0], **fields)

        return make_record_set(rearrange=rearrange)

    return make


def test_a_sample(changed):
    directory = changed(
        features=np.array([1, 2, 3, 6], np.float32),
        captions=("A cat .", "The dog"),
        ids=((1, 4, 3, 2), (1, 6, 5, 2)),
    )
    sample = first_of_dev(directory)
    assert [list(tokens) for tokens in sample.tokens] == [
        [("a", True), ("cat", False)],
        [("the", True), ("dog", True)],
    ]
    described = sample.describe()
    assert described["features"] == {"min": 1, "mean": 3, "max": 6}
    assert described["captions"] == [
        {"text": "A cat .", "tokens": "a <unk>", "unknown": ["cat"]},
        {"text": "The dog", "tokens": "the dog", "unknown": []},
    ]
    assert (described["shard"], described["record"]) == (
        "dev-00000-of-00002.tfrecord",
        0,
    )


def test_words_that_were_dropped_are_shown(make_record_set):
    samples = sample_splits(RecordSet.open(str(make_record_set(oov="drop"))), 5)
    tokens = [t for s in samples["dev"] for caption in s.tokens for t in caption]
    assert {t.text for t in tokens if not t.known} >= {"cat", "bird"}


def test_a_photo_is_found_wherever_it_lies(changed, tmp_path):
    directory = changed(photo_sha256=hashlib.sha256(PHOTO).digest())
    sample = first_of_dev(directory, str(tmp_path))
    assert (sample.photo, sample.describe()["path"]) == (None, None)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / sample.record.photo_id
        path.write_bytes(PHOTO if folder == "b" else b"of the same name")
    described = first_of_dev(directory, str(tmp_path)).describe()
    assert (described["path"], described["changed"]) == (str(path), False)
    path.write_bytes(b"another")
    assert first_of_dev(directory, str(tmp_path)).describe()["changed"] is True


def test_a_photo_kept_in_the_record(changed):
    kept = {"encoded": PHOTO, "photo_sha256": hashlib.sha256(PHOTO).digest()}
    sample = first_of_dev(changed(**kept))
    assert sample.photo == PHOTO
    assert (sample.describe()["kept"], sample.describe()["path"]) == (True, None)


def test_ids_that_the_vocabulary_lacks(changed):
    sample = first_of_dev(changed(captions=("a dog",), ids=((1, 4, 99, 2),)))
    assert sample.stored == ("<start> a #99 <end>",)


def test_a_damaged_record_is_named(changed):
    directory = changed(features=np.zeros(3, np.float32))
    with pytest.raises(UserError, match=r"dev-00000.*: record 0: features of dev"):
        first_of_dev(directory)


def test_moments_of_half_precision_do_not_overflow():
    features = np.full([4], 60000, np.float16)
    assert moments(features)["mean"] == pytest.approx(60000, rel=1e-3)


def test_moments_that_json_cannot_say():
    found = moments(np.array([np.nan, 1], np.float32))
    assert found == {"min": None, "mean": None, "max": None}
