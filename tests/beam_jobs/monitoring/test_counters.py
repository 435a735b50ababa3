"""What a build counts: every outcome, batches, and the time of each step."""

from dataclasses import replace

import pytest
from small_data import build, counting, moved

from beam_jobs.monitoring.counters import STEPS, measure_time
from beam_jobs.monitoring.summary import counter, distribution, query
from records.format.record_set import RecordSet


def counters(result) -> dict[str, int]:
    """Name -> count, of all that were counted."""
    found = result.metrics().query()["counters"]
    return {metric.key.metric.name: metric.result for metric in found}


@pytest.fixture
def mixed(data):
    """Ten photos of which two are bad, one that is missing and one bad caption."""
    data.add_photo("b.jpg", b"no photo")
    data.add_photo("g.jpg", b"")
    data.add("gone.jpg", None)
    data.append(data.captions, ["a.jpg#5\t7 !"])
    return data


def test_every_outcome_is_counted(mixed, tmp_path):
    found = counters(build(mixed.job(tmp_path / "out")))
    assert found == {
        "photos_written": 8,
        "photos_encoded": 8,
        "photos_rejected_not_an_image": 1,
        "photos_rejected_empty_file": 1,
        "photos_rejected_photo_missing": 1,
        "captions_written": 40,
        "captions_rejected_not_an_image": 5,
        "captions_rejected_empty_file": 5,
        "captions_rejected_photo_missing": 5,
        "captions_rejected_no_word_left": 1,
        **{name: 0 for name in found if not found[name]},
    }


def test_counters_are_those_of_the_manifest(mixed, tmp_path):
    result = build(mixed.job(tmp_path / "out"))
    numbers = RecordSet.open(str(tmp_path / "out")).manifest.statistics
    assert counter(result, "photos_written") == numbers.photos_written
    assert counter(result, "captions_written") == numbers.captions_written
    for what in ("photos", "captions"):
        for reason, count in getattr(numbers, f"rejected_{what}").items():
            assert counter(result, f"{what}_rejected_{reason}") == count


def test_written_is_encoded_and_reused(mixed, tmp_path):
    job = mixed.job(tmp_path / "out")
    with pytest.raises(RuntimeError, match="switched off"):
        build(job, encoder_for=counting(breaks_after=3))
    found = counters(build(job))
    assert found["photos_written"] == found["photos_encoded"] + found["photos_reused"]
    assert 0 < found["photos_reused"] < found["photos_written"] == 8
    assert found["photos_rejected_not_an_image"] == 1  # that of a finished shard too
    assert found["captions_written"] == 40


def test_written_is_encoded_and_taken_over(mixed, tmp_path):
    first = mixed.job(tmp_path / "first")
    build(first)
    mixed.add_photo("b.jpg")
    found = counters(build(replace(moved(first, tmp_path / "out"), reuse=first.output)))
    assert (found["photos_taken_over"], found["photos_encoded"]) == (8, 1)
    assert found["photos_written"] == 9


def test_each_batch_is_measured(data, tmp_path):
    result = build(data.job(tmp_path / "out"))  # shards of about 3, batches of 2
    sizes = distribution(result, "encoder_batch_size")
    assert (sizes.sum, sizes.max) == (10, 2)
    shards = RecordSet.open(str(tmp_path / "out")).manifest.shards.values()
    batches = sum(-(-shard.photos // 2) for held in shards for shard in held)
    for step in STEPS:
        found = distribution(result, f"{step}_milliseconds")
        ends = sum(map(len, shards)) if step == "write" else 0
        assert found.count == batches + ends
        assert 0 <= found.max <= found.sum


def test_time_is_in_milliseconds():
    class Distribution(list):
        update = list.append

    found = Distribution()
    with measure_time(found):
        sum(range(10))
    assert found[0] in range(1000)


def test_a_runner_that_does_not_count():
    class Result:
        def metrics(self):
            raise NotImplementedError

    assert counter(Result(), "photos_written") == 0
    assert distribution(Result(), "read_milliseconds") is None
    assert query(Result(), "x")["counters"] == []
