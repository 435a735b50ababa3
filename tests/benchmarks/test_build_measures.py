"""What the Beam job is measured against does the same work."""

import pytest
from PIL import Image

from tests.benchmarks import build_baselines, build_process
from tests.benchmarks.photo_set import PhotoSet
from tests.benchmarks.rows import BUILD_LINES, make_row

SHAPE = (3,)


@pytest.fixture
def data(tmp_path):
    return PhotoSet(tmp_path / "data", 9, (40, 30))


def test_the_plain_loop_writes_the_jobs_training_shards(data, tmp_path):
    config = tmp_path / "small.yaml"
    config.write_text(
        "{tokenizer: {min_count: 1}, records: {photos_per_shard: 3, encoder_batch: 2}}"
    )
    encoder = build_process.NullEncoder(SHAPE)
    folders = tmp_path / "beam", tmp_path / "plain"
    folders[1].mkdir()
    jobs = [
        build_process.null_job(config, tmp_path / "data", folder, encoder)
        for folder in folders
    ]
    assert build_process.build_null(jobs[0], encoder) > 0
    build_baselines.build_without_beam(data, jobs[1], encoder)
    beam, plain = (
        {path.name: path.read_bytes() for path in folder.glob("train-*.tfrecord")}
        for folder in folders
    )
    assert len(beam) == 3
    assert plain == beam


def test_photos_are_of_the_size_asked_for_and_many_are_links(tmp_path):
    data = PhotoSet(tmp_path / "many", 130, (50, 40))
    paths = [data.photos / name for name in data.names]
    assert Image.open(paths[-1]).size == (50, 40)
    assert len({path.stat().st_ino for path in paths}) == 64
    assert len(data.captions.read_text().splitlines()) == 5 * 130


def test_memory_may_not_grow_by_more_than_a_tenth():
    line = next(line for line in BUILD_LINES if line.at_most)
    for value, met in ((110.0, True), (111.0, False)):
        row = make_row(line, {line.value: [value], line.baseline: [100.0]}).figures
        assert row["pass"] is met
        assert row["required"] == "<= 1.1 x baseline"
