"""What a build writes, looked at and verified; its photos lie in folders."""

import json
import shutil
from pathlib import Path

import pytest
from small_data import SPLIT_OF, SmallData

from beam_jobs import build_records
from beam_jobs.io import output_directory
from records.__main__ import main
from records.format.manifest import load_manifest
from records.verification import verifier

CONFIG = """
encoder: {name: mobilenet, weights: random, input_size: 32}
tokenizer: {min_count: 1}
records: {photos_per_shard: 4, keep_photos: %s, encoder_batch: 1}
"""


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch):
    """Photos are encoded again in batches of the size they were encoded in.

    Some processors add up otherwise for another size: the last bit may differ then.
    """
    monkeypatch.setattr("records.verification.feature_check.BATCH", 1)


def build(folder: Path, keep_photos: str = "false") -> Path:
    """Records by `--source jsonl` of photos in a folder for each split."""
    data = SmallData(folder)
    places = [f"{split}/{c}.jpg" for split in SPLIT_OF for c in SPLIT_OF[split]]
    for split in SPLIT_OF:
        (data.photos / split).mkdir()
    for place in places:
        (data.photos / Path(place).name).rename(data.photos / place)
    lines = [
        {"photo": place, "captions": ["A dog runs ."], "split": place.split("/")[0]}
        for place in places
    ]
    captions = folder / "own.jsonl"
    captions.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "small.yaml").write_text(CONFIG % keep_photos)
    flags = {
        "config": folder / "small.yaml",
        "photos": data.photos,
        "source": "jsonl",
        "captions": captions,
        "output": folder / "out",
    }
    build_records.main([f"--{name}={value}" for name, value in flags.items()])
    return folder / "out"


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def copy(built, tmp_path) -> Path:
    """Records and photos to be damaged; the manifest names the photos elsewhere."""
    shutil.copytree(built, tmp_path / "out")
    shutil.copytree(built.parent / "images", tmp_path / "images")
    return tmp_path / "out"


def verify(capsys, *argv) -> dict:
    capsys.readouterr()
    code = main(["verify", *map(str, argv), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert code == (0 if found["whole"] else 1)
    return found


def test_photos_encoded_again_give_the_same_features(built, capsys):
    found = verify(capsys, built, "--sample", 6)
    assert found["whole"], found["problems"]
    assert (found["sample"]["compared"], found["sample"]["identical"]) == (6, 6)


def test_photos_kept_in_the_records_are_encoded_again(tmp_path, capsys):
    out = build(tmp_path, "true")
    shutil.rmtree(tmp_path / "images")
    assert verify(capsys, out, "--sample", 99)["sample"]["identical"] == 10


def test_another_encoder_shows(copy, capsys):
    path = copy / "dataset.json"
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1', 1))
    assert load_manifest(str(copy)).configuration["encoder"]["seed"] == 1
    problems = verify(capsys, copy, "--sample", 2)["problems"]
    whats = [problem["what"] for problem in problems]
    assert any("was changed after the build" in what for what in whats)
    assert any("encoder: the manifest says one of digest" in what for what in whats)


def test_a_photo_that_has_changed_since(copy, capsys):
    photos = copy.parent / "images"
    (photos / "dev/g.jpg").write_bytes((photos / "dev/h.jpg").read_bytes())
    (problem,) = verify(capsys, copy, "--sample", 10, "--photos", photos)["problems"]
    assert problem["file"].startswith("dev-") and problem["record"] is not None
    assert f"{photos / 'dev/g.jpg'} has changed since" in problem["what"]


def test_photos_in_folders_are_found(built, capsys):
    assert main(["inspect", str(built), "--json"]) == 0
    samples = json.loads(capsys.readouterr().out)["samples"]
    for split, photos in samples.items():
        for photo in photos:
            assert photo["photo"].startswith(f"{split}/")
            assert photo["path"] == str(built.parent / "images" / photo["photo"])
            assert photo["changed"] is False


def test_photos_in_folders_are_drawn(built, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["inspect", str(built), "--html", str(page)]) == 0
    text = page.read_text("utf-8")
    assert text.count('alt="Photo ') == 10
    assert "No photo found" not in text


def test_what_builds_leave_behind_is_known_to_verify():
    assert verifier.BUILD_FOLDER == output_directory.REPORTS
