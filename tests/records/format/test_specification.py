"""The code in documents about the record format reads what the package writes."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from records.format import schema
from records.format.record_set import RecordSet

DOCS = Path(__file__).parents[3] / "docs"


def python_blocks(document: str) -> list[str]:
    text = (DOCS / document).read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


(PLAIN,) = python_blocks("reference/record_format.md")
PACKAGE, TF_DATA, TORCH = python_blocks("guides/read_records.md")
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


def test_workers_share_the_shards(records, written):
    read = run(PLAIN)["read_records"]
    parts = [[p["id"] for p in read(records.directory, "train", i, 2)] for i in (0, 1)]
    assert all(parts) and sorted(parts[0] + parts[1]) == sorted(written)


@pytest.fixture
def in_guide(record_set, tmp_path, monkeypatch):
    """The current folder has the files that the guide names."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "records").symlink_to(record_set)
    (tmp_path / "read_records.py").write_text(PLAIN)
    monkeypatch.chdir(tmp_path)


def test_the_package_reads_as_the_guide_says(in_guide, written, capsys):
    run(PACKAGE)
    first = next(iter(written.values()))
    shown = f"{first.photo_id} {first.features.shape} {first.captions[0]}\n"
    assert capsys.readouterr().out == shown


def test_tf_data_reads_every_record(in_guide, written):
    batches = list(run(TF_DATA)["make_dataset"]("data/records", "train", batch=2))
    features = np.concatenate([features for features, _ in batches])
    ids = [photo for _, batch in batches for photo in batch.to_list()]
    expected = list(written.values())
    np.testing.assert_array_equal(features, [record.features for record in expected])
    assert ids == [[list(caption) for caption in record.ids] for record in expected]


def test_tf_data_makes_a_row_for_each_caption(in_guide, written):
    ((features, tokens), targets), *more = run(TF_DATA)["pairs"]
    captions = [(r.features, ids) for r in written.values() for ids in r.ids]
    assert not more and len(features) == len(tokens) == len(captions)
    for i, (expected, ids) in enumerate(captions):
        np.testing.assert_array_equal(features[i], expected)
        assert [int(n) for n in tokens[i] if n][: len(ids) - 1] == list(ids[:-1])
        assert [int(n) for n in targets[i] if n] == list(ids[1:])


needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="needs PyTorch"
)
COMPARE = """
import json
rows = [[f.tolist(), i.tolist()] for f, i in Captions("data/records", "train")]
batches = [(f.tolist(), i.tolist()) for f, i in loader]
print(json.dumps([rows, batches]))
"""


@needs_torch
@pytest.mark.slow
def test_pytorch_reads_every_caption_by_two_workers(in_guide, written):
    """Runs in a process of its own, because the loader forks."""
    process = subprocess.run(
        [sys.executable, "-c", TORCH + COMPARE], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    *_, line = process.stdout.splitlines()
    rows, batches = json.loads(line)
    expected = [
        [r.features.tolist(), [*ids]] for r in written.values() for ids in r.ids
    ]
    assert rows == expected
    loaded = [row for batch in batches for row in zip(*batch)]
    shown = sorted((f, [n for n in ids if n]) for f, ids in loaded)
    assert shown == sorted((f, ids) for f, ids in expected)
