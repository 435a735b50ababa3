"""Records of photos in containers: those of a folder, photo by photo."""

import argparse
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from memory_files import put
from small_data import (
    SPLIT_OF,
    SmallData,
    build,
    caption_lines,
    contents,
    corrupt_jpeg,
    counting,
    moved,
)

from beam_jobs.build_job import Job
from beam_jobs.source_photos import ContainerPhotos
from beam_jobs.sources import options
from records.errors import UserError
from records.format import photos
from records.format.manifest import load_manifest
from records.format.record_set import RecordSet
from records.format.rejects import count_rejects
from records.inspection.samples import sample_splits
from records.verification import verifier
from records.verification.feature_check import find_photos

CONTAINERS = {"train-0": "abcd", "train-1": "ef", "dev-0": "gh", "test-0": "ij"}
KINDS = ["zip", "tar", "parquet"]


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


def packed_job(data: SmallData, folder: Path, kind: str, **sections) -> Job:
    """A job with photos in a zip, or photos and captions in tars or Parquet files."""
    make = {"zip": zip_job, "tar": tar_job, "parquet": parquet_job}[kind]
    return make(data, folder, **sections)


def tar_job(data: SmallData, folder: Path, **sections) -> Job:
    """Two tars of the training photos, and one of each other split."""
    for name, letters in CONTAINERS.items():
        with tarfile.open(folder / f"{name}.tar", "w") as tar:
            for letter in letters:
                tar.add(data.photos / f"{letter}.jpg", f"{letter}.jpg")
                content = json.dumps({"captions": captions_of(letter)}).encode()
                member = tarfile.TarInfo(f"{letter}.json")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return source_job(data, folder, "webdataset", "*.tar", **sections)


def parquet_job(data: SmallData, folder: Path, **sections) -> Job:
    """Files as Hugging Face writes them, with two photos in a row group."""
    for name, letters in CONTAINERS.items():
        images = [
            {"bytes": (data.photos / f"{c}.jpg").read_bytes(), "path": f"{c}.jpg"}
            for c in letters
        ]
        table = pa.table({"image": images, "caption": [*map(captions_of, letters)]})
        pq.write_table(table, folder / f"{name}.parquet", row_group_size=2)
    return source_job(data, folder, "parquet", "*.parquet", **sections)


def captions_of(letter: str) -> list[str]:
    return [line.partition("\t")[2] for line in caption_lines(f"{letter}.jpg")]


def source_job(
    data: SmallData, folder: Path, source: str, pattern: str, *flags: str, **sections
) -> Job:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos")
    options.add_options(parser)
    photos = pattern if "://" in pattern else f"{folder}/{pattern}"
    args = parser.parse_args([f"--source={source}", f"--photos={photos}", *flags])
    opened = options.open_source(args)
    job = data.job(folder / "packed", **sections)
    return replace(job, photos=photos, source=opened)


def zip_job(data: SmallData, folder: Path, **sections) -> Job:
    path = write_zip(folder / "photos.zip", contents(data.photos))
    return replace(data.job(folder / "packed", **sections), photos=path)


@pytest.fixture
def from_folder(data, tmp_path) -> Job:
    job = data.job(tmp_path / "folder")
    build(job)
    return job


@pytest.mark.parametrize("kind", KINDS)
def test_containers_give_the_records_of_a_folder(data, tmp_path, from_folder, kind):
    job = packed_job(data, tmp_path, kind)
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


class Registered:
    """The entry point of the reader, whether or not it is installed."""

    name, load = "tfcap", staticmethod(lambda: ContainerPhotos)


@pytest.mark.parametrize("kind", KINDS)
def test_pages_and_verification_show_photos_of_containers(
    data, tmp_path, kind, monkeypatch
):
    monkeypatch.setattr(photos, "entry_points", lambda group: [Registered])
    job = packed_job(data, tmp_path, kind)
    build(job)
    samples = sample_splits(RecordSet.open(job.output), 9)["train"]
    assert len(samples) == len(records(job)["train"])
    for sample in samples:
        path = data.photos / sample.record.photo_id
        assert sample.photo == path.read_bytes() and not sample.changed
        assert f".{kind} at " in sample.file.path
    photos_found = find_photos(load_manifest(job.output), None)
    assert photos_found.directory == job.photos


@pytest.mark.parametrize("kind", KINDS)
def test_verification_knows_the_order(data, tmp_path, kind):
    job = packed_job(data, tmp_path, kind)
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


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_build_resumes_at_its_first_unfinished_shard(
    data, tmp_path, from_folder, kind
):
    job = packed_job(data, tmp_path, kind)
    with pytest.raises(RuntimeError, match="switched off"):
        build(job, encoder_for=counting(breaks_after=2))
    encoder = counting()
    build(job, encoder_for=encoder)
    assert 0 < encoder.photos < 10
    whole = moved(job, tmp_path / "undisturbed")
    build(whole)
    assert contents(job.output) == contents(whole.output)
    assert records(job) == records(from_folder)


@pytest.mark.parametrize("kind", KINDS)
def test_features_are_taken_over_from_records_of_a_folder(
    data, tmp_path, from_folder, kind
):
    job = replace(packed_job(data, tmp_path, kind), reuse=from_folder.output)
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
@pytest.mark.parametrize("kind", KINDS)
def test_processes_give_the_same_bytes(data, tmp_path, workers_find_tests, kind):
    job = packed_job(data, tmp_path, kind)
    build(job)
    other = moved(job, tmp_path / "processes")
    build(other, "--direct_running_mode=multi_processing", "--direct_num_workers=2")
    assert contents(other.output) == contents(job.output)


def test_a_broken_member_and_a_cut_tar_cost_themselves(data, tmp_path):
    job = tar_job(data, tmp_path)
    path = tmp_path / "train-0.tar"
    content = bytearray(path.read_bytes())
    content[content.index(b"\xff\xd8\xff")] = 0
    path.write_bytes(content[: content.rindex(b"\xff\xd8\xff") + 99])
    build(job)
    photos, _ = count_rejects(job.output)
    assert photos == {"not_an_image": 1, "damaged_archive": 1}
    assert set(records(job)["train"]) == {"b.jpg", "c.jpg", "e.jpg", "f.jpg"}
    statistics = load_manifest(job.output).statistics
    assert (statistics.photos_in, statistics.photos_written) == (10, 8)
    rejects = (tmp_path / "packed" / "rejects.jsonl").read_text()
    assert f"{path}:d" in rejects and '"a.jpg"' in rejects


def test_two_members_of_one_name_are_rejected(data, tmp_path):
    job = tar_job(data, tmp_path)
    (tmp_path / "train-1.tar").write_bytes((tmp_path / "train-0.tar").read_bytes())
    with pytest.raises(UserError, match="two_files 4 photos and 40 captions, e"):
        build(job)
    rejects = (tmp_path / "packed" / "rejects.jsonl").read_text()
    assert "train-0.tar at 1536 or" in rejects and "train-1.tar at 1536" in rejects
    photos, _ = count_rejects(job.output)
    assert photos == {"two_files": 4}


@pytest.mark.parametrize("packed", [False, True])
def test_an_image_folder(data, tmp_path, from_folder, packed):
    for split, letters in SPLIT_OF.items():
        lines = [
            json.dumps(
                {"file_name": f"{c}.jpg", "text": captions_of(c), "split": split}
            )
            for c in letters
        ]
        data.write_lines(data.photos / f"{split}.jsonl", lines)
    named = [f"--captions={data.photos / split}.jsonl" for split in SPLIT_OF]
    write_zip(tmp_path / "photos.zip", contents(data.photos))
    photos = "photos.zip" if packed else str(data.photos.relative_to(tmp_path))
    job = source_job(data, tmp_path, "imagefolder", photos, *named)
    build(job)
    assert records(job) == records(from_folder)


@pytest.mark.parametrize("kind", KINDS)
def test_containers_in_a_store_give_the_same_records(
    data, tmp_path, from_folder, kind, memory
):
    local = packed_job(data, tmp_path, kind)
    for path in tmp_path.glob(f"*.{kind}"):
        put(f"store://bucket/{path.name}", path.read_bytes())
    photos = f"store://bucket/*.{kind}"
    source = local.source
    if kind != "zip":
        source = source_job(data, tmp_path, source.name, photos).source
    job = replace(local, photos=photos, source=source)
    build(job)
    assert records(job) == records(from_folder)
