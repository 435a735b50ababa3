"""Features taken over from an earlier record set: what is encoded, and what is not."""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_data import (
    PHOTOS,
    SmallData,
    build,
    caption_lines,
    contents,
    corrupt_jpeg,
    counting,
    mean_colour,
    photo_bytes,
)

from beam_jobs import build_records
from beam_jobs.build_job import Job
from beam_jobs.elements import Photo, RecordLocation, SourceFile
from beam_jobs.monitoring.counters import DAMAGED
from beam_jobs.monitoring.summary import counter
from beam_jobs.transforms import reuse_features
from beam_jobs.transforms.reuse_features import EarlierFeatures, place_facts
from records.errors import UserError
from records.format.record_set import RecordSet
from records.format.schema import FEATURES

SHARD = "train-00000-of-00002.tfrecord"


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """What a build makes of the data that each test begins with."""
    folder = tmp_path_factory.mktemp("original")
    build(SmallData(folder / "data").job(folder / "records"))
    return folder / "records"


@pytest.fixture
def earlier(original, tmp_path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "earlier"))


@pytest.fixture
def taken(data, tmp_path, earlier) -> Callable[..., dict[str, int]]:
    """Builds with and without the earlier set, compares, and returns the counts."""

    def run(*flags: str, **sections) -> dict[str, int]:
        fresh, job = (
            data.job(tmp_path / name, **sections) for name in ("fresh", "out")
        )
        build(fresh)
        encoder = counting()
        result = build(replace(job, reuse=str(earlier)), *flags, encoder_for=encoder)
        assert contents(job.output) == contents(fresh.output)
        assert counter(result, "photos_encoded") <= encoder.photos
        names = {"over": "photos_taken_over", "damaged": DAMAGED}
        counted = {short: counter(result, name) for short, name in names.items()}
        return {"encoded": encoder.photos, **counted}

    return run


def counts(encoded: int, over: int, damaged: int = 0) -> dict[str, int]:
    return {"encoded": encoded, "over": over, "damaged": damaged}


def test_another_vocabulary_and_tokenizer_encode_nothing(taken):
    tokenizer = {"min_count": 6, "min_letters": 3, "oov": "drop"}
    assert taken(tokenizer=tokenizer) == counts(0, 10)


def test_other_shards_encode_nothing(taken):
    threads = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
    settings = {"photos_per_shard": 2, "encoder_batch": 3, "keep_photos": True}
    assert taken(*threads, records=settings) == counts(0, 10)


def test_another_split_and_other_captions_encode_nothing(data, taken):
    data.write_lines(data.captions, [c for p in PHOTOS for c in caption_lines(p, 2)])
    for split, letters in {"train": "jbdg", "dev": "aie", "test": "hcf"}.items():
        data.write_split(split, [f"{letter}.jpg" for letter in letters])
    assert taken() == counts(0, 10)


def test_added_photos_cost_only_themselves(data, taken):
    for name in ("k.jpg", "l.jpg"):
        data.add(name, photo_bytes(name))
    assert taken() == counts(2, 10)


def test_photos_that_only_the_earlier_set_has_are_no_input(data, taken):
    data.write_lines(data.captions, [c for p in PHOTOS[1:] for c in caption_lines(p)])
    data.write_split("train", PHOTOS[1:6])
    (data.photos / PHOTOS[0]).unlink()
    assert taken() == counts(0, 9)


def test_a_changed_photo_is_encoded_again(data, taken):
    data.add_photo("b.jpg", b"no photo")
    data.add_photo("c.jpg", corrupt_jpeg("c.jpg"))
    data.add_photo("d.jpg", photo_bytes("other.jpg"))
    assert taken() == counts(2, 7)  # the corrupt one is given to the encoder


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_damaged_record_is_encoded_again(taken, earlier):
    at = (earlier / SHARD).read_bytes().index(FEATURES.encode()) + 20
    flip(earlier / SHARD, at)
    assert taken() == counts(1, 9, 1)


def test_an_interrupted_build_goes_on_with_or_without_it(data, tmp_path, earlier):
    job = data.job(tmp_path / "out")
    with pytest.raises(RuntimeError, match="switched off"):
        build(job, encoder_for=counting(breaks_after=3))
    encoder = counting()
    result = build(replace(job, reuse=str(earlier)), encoder_for=encoder)
    reused, over = (counter(result, f"photos_{n}") for n in ("reused", "taken_over"))
    assert encoder.photos == 0 and reused > 0 and reused + over == 10
    records = contents(job.output, "dataset.json")  # that names the photos' place
    assert records == contents(earlier, "dataset.json")


@pytest.fixture
def second(data, tmp_path, earlier) -> Job:
    return replace(data.job(tmp_path / "out"), reuse=str(earlier))


def refusal(job: Job) -> str:
    with pytest.raises(UserError) as error:
        reuse_features.open_earlier(job.reuse, job)
    assert str(error.value).startswith("--reuse: ")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_encoder_is_refused(second):
    encoder = second.encoder.model_copy(update={"name": "other", "digest": "1" * 64})
    message = refusal(replace(second, encoder=encoder))
    assert "was encoded by mean_colour of digest 000000000000…" in message
    assert "this build encodes by other of digest 111111111111…" in message


@pytest.mark.parametrize("change", [{"dtype": "float16"}, {"shape": (4,)}])
def test_other_features_are_refused(second, change):
    message = refusal(
        replace(second, features=second.features.model_copy(update=change))
    )
    assert "holds features [3] float32, this build writes [" in message


def test_the_output_itself_is_refused(second, tmp_path):
    (tmp_path / "link").symlink_to(second.reuse)
    for output in (second.reuse, second.reuse + "/", tmp_path / "link"):
        message = refusal(replace(second, output=str(output)))
        assert "is --output itself" in message


def test_what_is_no_record_set_is_refused(second, tmp_path):
    assert "is not a record set" in refusal(replace(second, reuse=str(tmp_path)))
    assert "is not a record set" in refusal(replace(second, reuse="/nowhere"))


def test_a_missing_shard_is_refused(second, earlier):
    (earlier / SHARD).unlink()
    assert f"{SHARD} is missing; the manifest lists it" in refusal(second)


def test_the_set_is_checked_where_it_is_read_too(second):
    with pytest.raises(UserError, match=r"--reuse: .* of digest"):
        encoder = second.encoder.model_copy(update={"digest": "1" * 64})
        build(replace(second, encoder=encoder))


def places(job: Job) -> dict[str, RecordLocation]:
    facts = (
        fact
        for paths in reuse_features.list_shards(job.reuse, job)
        for fact in place_facts(paths, job.features)
    )
    return {photo_id: RecordLocation(*place) for photo_id, _, place in facts}


def test_places_are_path_and_offset(second, earlier):
    found = places(second)
    assert set(found) == set(PHOTOS)
    size = (earlier / SHARD).stat().st_size
    offsets = sorted(p.offset for p in found.values() if p.path.endswith(SHARD))
    assert offsets[0] == 0 and offsets[-1] < size


def test_what_follows_a_damaged_length_has_no_place(second, earlier):
    held = RecordSet.open(str(earlier)).manifest.shards["train"][0].photos
    flip(earlier / SHARD, 0)
    assert len(places(second)) == 10 - held


def photo(data: SmallData, name: str, place: RecordLocation | None) -> Photo:
    file = SourceFile(name, str(data.photos / name), 0, 0.0)
    return Photo(name, "train", file, (), place)


def test_features_are_found_where_the_photo_is_the_same(data, second):
    found, content = places(second), photo_bytes("a.jpg")
    earlier = EarlierFeatures(second.features)
    one = photo(data, "a.jpg", found["a.jpg"])
    expected, _ = mean_colour(second.config.encoder).encode([content])
    np.testing.assert_array_equal(earlier.find(one, content), expected[0])
    assert earlier.find(one, content + b"\0") is None
    assert earlier.find(one._replace(earlier=None), content) is None
    assert earlier.find(one._replace(earlier=found["b.jpg"]), content) is None
    assert earlier.find(one._replace(photo_id="b.jpg"), content) is None


def test_fewer_open_files_than_shards(data, second, monkeypatch):
    monkeypatch.setattr(reuse_features, "OPEN_SHARDS", 1)
    earlier = EarlierFeatures(second.features)
    for name, place in sorted(places(second).items()):
        assert earlier.find(photo(data, name, place), photo_bytes(name)) is not None
    assert earlier.shard.cache_info().currsize == 1


def harm_record(place: RecordLocation) -> None:
    flip(Path(place.path), place.offset + 40)


def cut_shard(place: RecordLocation) -> None:
    os.truncate(place.path, place.offset + 5)


def remove_shard(place: RecordLocation) -> None:
    os.unlink(place.path)


@pytest.mark.parametrize("harm", [harm_record, cut_shard, remove_shard])
def test_a_record_damaged_meanwhile_is_not_taken(data, second, harm):
    """As by a disk that fails while the job runs."""
    one = photo(data, "a.jpg", places(second)["a.jpg"])
    harm(one.earlier)
    assert EarlierFeatures(second.features).find(one, photo_bytes("a.jpg")) is None


CONFIG = """
encoder: {name: mobilenet, weights: random, input_size: 32}
tokenizer: {min_count: 1}
records: {photos_per_shard: 4}
"""


def test_the_command_and_its_summary(data, tmp_path, capsys):
    config, first, again = (tmp_path / n for n in ("small.yaml", "first", "again"))
    config.write_text(CONFIG)
    build_records.main(data.flags(first, config))
    data.add("k.jpg", photo_bytes("k.jpg"))
    capsys.readouterr()
    other = ["--set=tokenizer.min_count=2", f"--reuse={first}"]
    build_records.main([*data.flags(again, config), *other])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"features of 10 photos taken over from {first}" in shown
    assert "1 photos encoded by mobilenet" in shown
    with pytest.raises(UserError, match="is --output itself"):
        build_records.main([*data.flags(first, config), f"--reuse={first}"])
