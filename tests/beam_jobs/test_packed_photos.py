"""Records of photos in containers: those of a folder, photo by photo."""

import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from small_data import SmallData, build, contents, corrupt_jpeg, counting, moved

from beam_jobs.build_job import Job
from records.errors import UserError
from records.format.manifest import load_manifest
from records.format.record_set import RecordSet
from records.format.rejects import count_rejects
from records.verification import verifier


def records(job: Job) -> dict[str, dict[str, tuple]]:
    """split -> photo -> all that its record holds."""
    records = RecordSet.open(job.output)
    return {
        split: {
            r.photo_id: (r.photo_sha256, r.features.tobytes(), r.captions, r.ids)
            for r in records.records(split)
        }
        for split in ("train", "dev", "test")
        if records.manifest.photos(split)
    }


def write_zip(path: Path, files: Mapping[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return str(path)


def zip_job(data: SmallData, folder: Path, **sections) -> Job:
    path = write_zip(folder / "photos.zip", contents(data.photos))
    return replace(data.job(folder / "packed", **sections), photos=path)


@pytest.fixture
def from_folder(data, tmp_path) -> Job:
    job = data.job(tmp_path / "folder")
    build(job)
    return job


def test_a_zip_gives_the_records_of_a_folder(data, tmp_path, from_folder):
    job = zip_job(data, tmp_path)
    build(job)
    assert records(job) == records(from_folder)
    expected = load_manifest(from_folder.output)
    found = load_manifest(job.output)
    assert found.statistics == expected.statistics
    assert found.vocabulary_sha256 == expected.vocabulary_sha256
    assert (found.sources["photos"], found.sources["order"]) == (
        job.photos,
        "containers",
    )
    assert "order" not in expected.sources


def test_photos_stand_in_the_order_of_the_container(data, tmp_path):
    job = zip_job(data, tmp_path)
    build(job)
    with zipfile.ZipFile(job.photos) as file:
        names = file.namelist()
    held = list(records(job)["train"])
    assert held == [name for name in names if name in held]
    assert len(load_manifest(job.output).shards["train"]) == 2


def test_verification_knows_the_order(data, tmp_path):
    job = zip_job(data, tmp_path)
    build(job)
    assert list(verifier.verify(job.output).problems) == []


def test_several_zips_with_photos_in_folders(data, tmp_path, from_folder):
    files = contents(data.photos)
    for name, letters in (("one", "aceg"), ("two", "bdfhij")):
        part = {f"{name}/{c}.jpg": files[f"{c}.jpg"] for c in letters}
        write_zip(tmp_path / f"{name}.zip", part)
    photos = str(tmp_path / "{one,two}.zip")
    job = replace(data.job(tmp_path / "packed"), photos=photos)
    build(job)
    assert records(job) == records(from_folder)
    assert len(load_manifest(job.output).shards["train"]) == 2


def test_what_cannot_be_used_is_rejected_by_name(data, tmp_path):
    files = contents(data.photos)
    files |= {"a.jpg": b"no photo", "b.jpg": corrupt_jpeg("b"), "g.jpg": b""}
    del files["h.jpg"]
    path = tmp_path / "photos.zip"
    write_zip(
        path, {**files, "c.jpg": bytes(1 << 22), "in/d.jpg": b"", "in/e.jpg": b""}
    )
    with zipfile.ZipFile(path, "a") as file, pytest.warns(UserWarning):
        file.writestr("e.jpg", b"another")
    job = replace(data.job(tmp_path / "packed"), photos=str(path))
    build(job)
    photos, captions = count_rejects(job.output)
    assert photos == {
        "not_an_image": 1,
        "corrupt_photo": 1,
        "empty_file": 1,
        "photo_missing": 1,
        "zip_bomb": 1,
        "two_files": 1,
    }
    assert captions.total() == 30
    assert list(records(job)["train"]) == ["d.jpg", "f.jpg"]


def test_an_interrupted_build_resumes_at_its_first_unfinished_shard(
    data, tmp_path, from_folder
):
    job = zip_job(data, tmp_path)
    with pytest.raises(RuntimeError, match="switched off"):
        build(job, encoder_for=counting(breaks_after=2))
    encoder = counting()
    build(job, encoder_for=encoder)
    assert 0 < encoder.photos < 10
    whole = moved(job, tmp_path / "undisturbed")
    build(whole)
    assert contents(job.output) == contents(whole.output)
    assert records(job) == records(from_folder)


def test_features_are_taken_over_from_records_of_a_folder(data, tmp_path, from_folder):
    job = replace(zip_job(data, tmp_path), reuse=from_folder.output)
    encoder = counting()
    build(job, encoder_for=encoder)
    assert encoder.photos == 0
    assert records(job) == records(from_folder)


def test_a_zip_that_disappears_stops_the_build(data, tmp_path):
    job = zip_job(data, tmp_path)
    Path(job.photos).unlink()
    with pytest.raises(UserError, match=r"--photos: no file .*photos\.zip"):
        build(job)


@pytest.mark.slow
def test_processes_give_the_same_bytes(data, tmp_path, workers_find_tests):
    job = zip_job(data, tmp_path)
    build(job)
    other = moved(job, tmp_path / "processes")
    build(other, "--direct_running_mode=multi_processing", "--direct_num_workers=2")
    assert contents(other.output) == contents(job.output)
