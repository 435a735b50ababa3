"""Whole jobs whose every file lies on a remote file system."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf
from memory_files import StoreFiles, held, put
from small_data import (
    SmallData,
    build,
    contents,
    corrupt_jpeg,
    counting,
    photo_bytes,
)

from beam_jobs import caption_photos
from beam_jobs.build_job import Job
from beam_jobs.io import output_directory
from beam_jobs.io.output_directory import REPORTS
from beam_jobs.monitoring.summary import counter
from beam_jobs.sources.flickr8k import Flickr8k
from beam_jobs.transforms.caption_shard import Summary, load_captioner
from beam_jobs.transforms.reuse_features import open_earlier
from records.errors import UserError
from records.format.record_set import RecordSet
from records.storage.files import file_sizes

pytestmark = pytest.mark.usefixtures("memory")
MANIFEST, REJECTS = "dataset.json", "rejects.jsonl"
PLACES = {MANIFEST, REJECTS}  # they name files


@pytest.fixture
def bucket() -> str:
    return "store://bucket"


def put_all(folder: Path, remote: str) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            put(f"{remote}/{path.relative_to(folder)}", path.read_bytes())


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> tuple[SmallData, Path]:
    """Data with two photos that are rejected, and its local build."""
    folder = tmp_path_factory.mktemp("local")
    data = SmallData(folder / "data")
    data.add("corrupt.jpg", corrupt_jpeg("x"))
    data.add("missing.jpg", None)
    build(data.job(folder / "records"))
    return data, folder / "records"


@pytest.fixture
def data(local) -> SmallData:
    return local[0]


@pytest.fixture
def built(local) -> Path:
    return local[1]


@pytest.fixture
def remote_job(data, bucket) -> Job:
    return job_on(data, bucket)


def job_on(data: SmallData, bucket: str, **sections) -> Job:
    """The job of the data in a bucket, from there to there."""
    put_all(data.folder, f"{bucket}/data")
    text = f"{bucket}/data/text"
    return replace(
        data.job("unused", **sections),
        photos=f"{bucket}/data/images",
        source=Flickr8k((f"{text}/Flickr8k.token.txt",), Flickr8k.find_lists(text)),
        output=f"{bucket}/records",
    )


def same_but_for_places(remote: str, local: Path | str) -> bool:
    digests = {
        RecordSet.open(str(place)).manifest.content_digest for place in (remote, local)
    }
    there, here = held(remote), contents(local)
    return len(digests) == 1 and all(
        there.pop(name) == here.pop(name) for name in sorted({*there, *here} - PLACES)
    )


@pytest.mark.parametrize("bucket", ["store://bucket", "tree://bucket"])
def test_a_remote_build_has_the_bytes_of_a_local_one(data, built, remote_job, bucket):
    threads = ("--direct_running_mode=multi_threading", "--direct_num_workers=3")
    build(remote_job, *threads)
    assert same_but_for_places(remote_job.output, built)
    rejects = (built / REJECTS).read_text()
    there = rejects.replace(str(data.folder), f"{bucket}/data")
    assert held(remote_job.output)[REJECTS].decode() == there
    assert there.count("\n") == 2
    opened = [path for what, path in StoreFiles.calls if what == "open"]
    photos = [path for path in opened if path.endswith(".jpg")]
    assert len(photos) == len(set(photos)) == 11


def test_an_interrupted_build_is_finished_by_the_next(built, remote_job):
    first = counting(breaks_after=3)
    with pytest.raises(RuntimeError, match="switched off"):
        build(remote_job, encoder_for=first)
    there = held(remote_job.output)
    finished = [name for name in there if name.startswith(REPORTS)]
    assert MANIFEST not in there and f"{REPORTS}/lock" not in there
    assert finished and not [name for name in there if name.endswith(".tmp")]
    second = counting()
    result = build(remote_job, encoder_for=second)
    assert counter(result, "photos_reused") > 0
    assert 0 < second.photos < 10
    assert same_but_for_places(remote_job.output, built)


def test_a_shard_that_cannot_be_sent_fails_the_build_and_not_the_next(remote_job):
    StoreFiles.broken = ".train-00000"
    with pytest.raises(UserError, match=r"train-00000.*503 Service Unavailable"):
        build(remote_job)
    assert MANIFEST not in held(remote_job.output)
    StoreFiles.broken = None
    build(remote_job)
    RecordSet.open(remote_job.output)


def test_features_are_taken_over_from_a_remote_set(data, built, tmp_path, bucket):
    put_all(built, f"{bucket}/earlier")
    changed = {"tokenizer": {"min_count": 6}, "records": {"photos_per_shard": 2}}
    build(data.job(tmp_path / "fresh", **changed))
    encoder = counting()
    job = replace(job_on(data, bucket, **changed), reuse=f"{bucket}/earlier")
    result = build(job, encoder_for=encoder)
    assert encoder.photos == 1  # the corrupt one, which the earlier set lacks
    assert counter(result, "photos_taken_over") == 10
    assert same_but_for_places(job.output, tmp_path / "fresh")


@pytest.mark.parametrize("end", ["", "/"])
def test_an_output_does_not_lend_to_itself(remote_job, end):
    with pytest.raises(UserError, match="is --output itself"):
        open_earlier(remote_job.output + end, remote_job)


def test_a_finished_output_is_refused_and_replaced_only_when_asked(built, remote_job):
    put_all(built, remote_job.output)
    put(f"{remote_job.output}/train-00007-of-00009.tfrecord", b"of another size")
    before = held(remote_job.output)
    with pytest.raises(UserError, match=r"already holds .* add --overwrite"):
        build(remote_job)
    assert held(remote_job.output) == before
    encoder = counting()
    build(remote_job, encoder_for=encoder, overwrite=True)
    assert encoder.photos == 11
    assert same_but_for_places(remote_job.output, built)


def test_a_foreign_directory_is_refused(remote_job):
    put(f"{remote_job.output}/thesis.txt", b"")
    with pytest.raises(UserError, match=r"is not an empty directory.* --overwrite"):
        build(remote_job)
    assert set(held(remote_job.output)) == {"thesis.txt"}


def test_an_output_without_a_shard_is_still_an_interrupted_jobs(bucket):
    """An object store keeps no empty folder that would say so."""
    output = f"{bucket}/out"
    with (
        pytest.raises(KeyError),
        output_directory.claim(output, MANIFEST, False),
    ):
        put(f"{output}/{REJECTS}", b"")
        raise KeyError
    with output_directory.claim(output, MANIFEST, False):
        pass


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_second_job_is_refused_while_the_first_runs(bucket, overwrite):
    output = f"{bucket}/out"
    with output_directory.claim(output, MANIFEST, overwrite):
        before = held(output)
        with (
            pytest.raises(UserError, match="another job is writing to store://bucket/"),
            output_directory.claim(output, MANIFEST, overwrite),
        ):
            pass
        assert held(output) == before
    with output_directory.claim(output, MANIFEST, overwrite):
        pass


class Brightness(tf.Module):
    """Captions a photo with how bright it is."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def caption(self, image_bytes):
        def mean(photo):
            return tf.reduce_mean(tf.cast(tf.io.decode_jpeg(photo), tf.float32))

        scores = tf.map_fn(mean, image_bytes, fn_output_signature=tf.float32)
        captions = tf.strings.as_string(scores)
        errors = tf.zeros_like(image_bytes)
        return {"caption": captions, "score": -scores, "error": errors}


@pytest.fixture
def export(tmp_path) -> Path:
    module = Brightness()
    tf.saved_model.save(module, str(tmp_path / "export" / "1"), module.caption)
    return tmp_path / "export"


def test_photos_of_a_store_are_captioned_by_a_model_that_lies_there(export, tmp_path):
    load_captioner.cache_clear()
    names = ("a.jpg", "b.jpg", "deeper/c.jpg")
    for name in names:
        put(f"store://bucket/photos/{name}", photo_bytes(name))
    put("store://bucket/photos/text.jpg", b"no photo")
    put_all(export, "store://bucket/export")
    flags = [
        "--model=store://bucket/export",
        "--photos=store://bucket/photos/**.jpg",
        "--output=store://bucket/captions",
        "--shards=2",
    ]
    assert caption_photos.main(flags) == 0
    found = held("store://bucket/captions")
    lines = b"".join(c for name, c in found.items() if name.startswith("captions"))
    captions = [json.loads(line) for line in lines.splitlines()]
    assert {line["photo"] for line in captions} == {
        f"store://bucket/photos/{name}" for name in names
    }
    summary = Summary.load("store://bucket/captions")
    assert (summary.photos_in, summary.captioned) == (4, 3)
    assert set(file_sizes("store://bucket/captions")) == set(found)
    with pytest.raises(UserError, match="already holds"):
        caption_photos.main(flags)
