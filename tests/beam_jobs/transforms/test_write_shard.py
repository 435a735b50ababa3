"""One shard: what is written, what is rejected, what is not done again."""

import hashlib
import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_data import (
    INFO,
    CountingEncoder,
    SmallData,
    corrupt_jpeg,
    counting,
    mean_colour,
    photo_bytes,
)

from beam_jobs.elements import Caption, Photo, Plan, SourceFile
from beam_jobs.io import output_directory
from beam_jobs.transforms.spill import Block, PackedPhoto, pack_captions, write_blocks
from beam_jobs.transforms.write_shard import ShardReport, WriteShard
from records.errors import UserError
from records.format import schema, sharding
from records.format.record_set import read_shard
from records.text.vocabulary import Vocabulary

TOKENS = Vocabulary.from_counts({"dog": 2, "a": 1}, 1, True).tokens
PLAN = Plan(TOKENS, {"train": 1}, 5)
NAME = "train-00000-of-00001.tfrecord"
NAMES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg")


@pytest.fixture
def job(data, tmp_path):
    output_directory.prepare(str(tmp_path / "out"), "dataset.json", False)
    return data.job(tmp_path / "out")


def photos(data: SmallData, names=NAMES) -> list[Photo]:
    return [photo(data.photos / name) for name in names]


def photo(path: Path) -> Photo:
    size, modified = os.path.getsize(path), os.path.getmtime(path)
    caption = Caption(path.name, 0, "f:1", "A dog barks .", ("a", "dog", "barks"))
    file = SourceFile(path.name, str(path), size, modified)
    return Photo(path.name, "train", file, (caption,))


def blocks(job, photos: list[Photo]) -> list[Block | None]:
    """Of the photos, as they come to a shard."""
    packed = [
        PackedPhoto(p.photo_id, p.split, p.file, pack_captions(p.captions), p.earlier)
        for p in photos
    ]
    lists = {0: packed[:2], 1: packed[2:]}
    return [None, *(block for _, block in write_blocks(job.output, lists))]


def write(job, photos, encoder_for=mean_colour, plan=PLAN) -> ShardReport:
    step = WriteShard(job, encoder_for)
    *_, report = step.process((("train", 0), blocks(job, photos)), plan)
    return ShardReport.model_validate_json(report)


def read(job) -> list[schema.PhotoRecord]:
    path = os.path.join(job.output, NAME)
    return [schema.decode(one, job.features) for one in read_shard(path)]


def test_a_shard_holds_its_photos_in_the_order_of_their_hash(data, job):
    report = write(job, photos(data))
    held = read(job)
    assert [r.photo_id for r in held] == sorted(NAMES, key=sharding.order_in_shard)
    content = (data.photos / held[0].photo_id).read_bytes()
    assert held[0].photo_sha256 == hashlib.sha256(content).digest()
    assert held[0].captions == ("A dog barks .",)
    assert held[0].ids == ((1, 5, 4, 3, 2),)
    assert (report.shard.photos, report.shard.captions) == (5, 5)
    assert (report.tokens, report.out_of_vocabulary) == (15, 5)
    assert (report.caption_lengths, report.photo_formats) == ({5: 5}, {"JPEG": 5})


def test_features_are_the_encoders_and_their_sums_are_kept(data, job):
    report = write(job, photos(data))
    held = read(job)
    contents = [(data.photos / record.photo_id).read_bytes() for record in held]
    expected, _ = mean_colour(job.config.encoder).encode(contents)
    features = np.stack([record.features for record in held])
    np.testing.assert_array_equal(features, expected)
    np.testing.assert_allclose(report.feature_sum, features.sum(0), 1e-6)
    np.testing.assert_allclose(report.feature_squares, (features**2).sum(0), 1e-6)
    assert report.cells == 5


def test_the_order_of_arrival_does_not_matter(data, job, tmp_path):
    other = replace(job, output=str(tmp_path / "other"))
    output_directory.prepare(other.output, "dataset.json", False)
    first, second = write(job, photos(data)), write(other, photos(data)[::-1])
    assert first == second


def test_photos_are_kept_when_asked_to(data, tmp_path):
    job = data.job(tmp_path / "out", records={"keep_photos": True})
    output_directory.prepare(job.output, "dataset.json", False)
    write(job, photos(data))
    assert all(r.encoded == photo_bytes(r.photo_id) for r in read(job))


def test_an_empty_shard_is_written_and_readable(job):
    report = write(job, [])
    assert (report.shard.photos, read(job)) == (0, [])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty_file"),
        (b"this is text", "not_an_image"),
        (photo_bytes("b.jpg", "TIFF"), "unsupported_format"),
        (photo_bytes("b.jpg")[:-100], "corrupt_photo"),
        (corrupt_jpeg("b.jpg"), "corrupt_photo"),
    ],
)
def test_a_bad_photo_costs_only_itself(data, job, content, reason):
    data.add_photo("b.jpg", content)
    report = write(job, photos(data))
    ((what, where, found, detail, captions),) = report.rejects
    assert (what, where, found, captions) == ("photo", "b.jpg", reason, 1)
    assert detail
    assert sorted(r.photo_id for r in read(job)) == ["a.jpg", "c.jpg", "d.jpg", "e.jpg"]


def test_a_photo_that_is_gone(data, job):
    listed = photos(data)
    (data.photos / "c.jpg").unlink()
    (reject,) = write(job, listed).rejects
    assert (reject.where, reject.reason) == ("c.jpg", "unreadable_file")
    assert reject.detail == "No such file or directory"


def test_a_shard_of_bad_photos_only(data, job):
    for name in NAMES:
        data.add_photo(name, photo_bytes(name)[:-100])
    report = write(job, photos(data))
    assert (report.shard.photos, len(report.rejects), report.cells) == (0, 5, 0)


def test_rejects_leave_by_their_own_output(data, job):
    data.add_photo("b.jpg", b"")
    step = WriteShard(job, mean_colour)
    reject, _ = step.process((("train", 0), blocks(job, photos(data))), PLAN)
    assert (reject.tag, reject.value.reason) == ("rejected", "empty_file")


def test_the_second_batch_is_encoded_beside_the_first(data, job):
    met, turns = threading.Barrier(2, timeout=60), iter((True, True, False))

    class Meeting(CountingEncoder):
        def encode(self, photos):
            if next(turns):
                met.wait()  # alone it would break here
            return super().encode(photos)

    assert write(job, photos(data), Meeting()).shard.photos == 5


def test_a_finished_shard_is_not_encoded_again(data, job):
    encoder = counting()
    first = write(job, photos(data), encoder)
    assert (encoder.photos, encoder.batches) == (5, 3)
    assert write(job, photos(data), encoder) == first
    assert encoder.photos == 5


def test_a_shard_with_a_file_that_could_not_be_read_is_tried_again(data, job):
    listed = photos(data)
    (data.photos / "c.jpg").rename(data.photos / "away")
    assert write(job, listed).rejects
    (data.photos / "away").rename(data.photos / "c.jpg")
    again = write(job, listed)
    assert (again.shard.photos, again.rejects) == (5, [])


def test_a_photo_directory_that_is_gone_is_not_the_photos_fault(data, job):
    listed = photos(data)
    data.photos.rename(data.folder / "away")
    with pytest.raises(UserError, match=r"the photo directory .*images was there"):
        write(job, listed)


def touch(data, job):
    os.utime(data.photos / "b.jpg", (1, 1))
    return job, PLAN


def grow(data, job):
    data.add_photo("b.jpg", photo_bytes("b.jpg") + b"\0")
    return job, PLAN


def another_encoder(data, job):
    return replace(job, encoder=job.encoder.model_copy(update={"digest": "1"})), PLAN


def another_dtype(data, job):
    return replace(job, features=schema.FeatureSpec(shape=(3,), dtype="float16")), PLAN


def another_vocabulary(data, job):
    return job, PLAN._replace(tokens=(*TOKENS, "new"))


def kept_photos(data, job):
    records = job.config.records.model_copy(update={"keep_photos": True})
    return replace(job, config=job.config.model_copy(update={"records": records})), PLAN


def cut_short(data, job):
    path = Path(job.output, NAME)
    path.write_bytes(path.read_bytes()[:-1])
    return job, PLAN


def of_another_version(data, job):
    path = Path(output_directory.report_path(job.output, NAME))
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "unknown": 1}))
    return job, PLAN


@pytest.mark.parametrize(
    "change",
    [
        touch,
        grow,
        another_encoder,
        another_dtype,
        another_vocabulary,
        kept_photos,
        cut_short,
        of_another_version,
    ],
)
def test_a_shard_that_would_come_out_otherwise_is_encoded_again(data, job, change):
    encoder = counting()
    write(job, photos(data), encoder)
    job, plan = change(data, job)
    encoder.info = job.encoder
    write(job, photos(data), encoder, plan)
    assert encoder.photos == 10


def test_a_report_never_outlives_its_shard(data, job):
    """Else it would vouch for the shard that a changed build put in its place."""
    write(job, photos(data))
    changed, _ = another_encoder(data, job)
    breaking = counting(breaks_after=1)
    breaking.info = changed.encoder
    with pytest.raises(RuntimeError, match="switched off"):
        write(changed, photos(data), breaking)
    encoder = counting()
    write(job, photos(data), encoder)
    assert encoder.photos == 5


def test_a_worker_that_finds_another_encoder_refuses(data, job):
    changed, _ = another_encoder(data, job)
    with pytest.raises(UserError, match=r"this worker's mean_colour is not .* 1…"):
        write(changed, photos(data))
    assert NAME not in os.listdir(job.output)


def test_a_shard_broken_off_leaves_nothing(data, job):
    with pytest.raises(RuntimeError, match="switched off"):
        write(job, photos(data), counting(breaks_after=2))
    left = {output_directory.REPORTS, "rejects.jsonl"}
    assert set(os.listdir(job.output)) == left
    reports = os.path.join(job.output, output_directory.REPORTS)
    # The text that the shard was made of, and no report.
    assert set(os.listdir(reports)) == {output_directory.STARTED, "text"}


def test_an_encoder_without_memory_names_the_batch(data, job):
    class Small:
        info = INFO

        def encode(self, photos):
            raise MemoryError

    message = r"out of memory; lower records\.encoder_batch, .*: 2 now"
    with pytest.raises(UserError, match=message):
        write(job, photos(data), lambda config: Small())
