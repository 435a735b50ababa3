"""`verify --sample` with an encoder that knows each photo's features by its bytes."""

import dataclasses
import json
import math

import numpy as np
import pytest

from records.__main__ import main
from records.errors import UserError
from records.format.manifest import FILE_NAME, ShardInfo, load_manifest
from records.format.schema import FeatureSpec
from records.verification import feature_check
from records.verification.feature_check import (
    SampleRequest,
    choose,
    relative_error,
    tolerance,
)
from records.verification.shard_checks import RecordLocation
from records.verification.verifier import verify


class Encoder:
    """Photos are the bytes `NAME` or `the photo NAME`; features as `make_record`."""

    def __init__(self, feature_of, info, scale=1.0, undecodable=(), exact_scale=None):
        self.feature_of, self.info = feature_of, info
        if exact_scale:
            self.exact = lambda: Encoder(feature_of, info, exact_scale, undecodable)
        self.scale, self.undecodable = scale, undecodable

    def encode(self, photos):
        names = [photo.decode().removeprefix("the photo ") for photo in photos]
        bad = [(i, "no JPEG") for i, n in enumerate(names) if n in self.undecodable]
        good = [name for name in names if name not in self.undecodable]
        return np.array([self.scale * self.feature_of(name) for name in good]), bad


class Entry:
    name, value = "fake", "fake:load"

    def __init__(self, load):
        self.load = lambda: load


@pytest.fixture
def register(monkeypatch, make_record):
    """Registers an encoder; returns what it was asked for."""

    def make(**settings):
        asked = []

        def load(manifest, files):
            asked.append(dict(files))
            given = {"info": manifest.encoder, **settings}
            return Encoder(lambda name: make_record(name).features, **given)

        monkeypatch.setattr(feature_check, "entry_points", lambda group: [Entry(load)])
        return asked

    return make


@pytest.fixture
def photos(tmp_path):
    """A directory with the photos of a record set, some of them in folders."""

    def make(directory):
        names = verify(str(directory)).totals.places
        for i, name in enumerate(names):
            folder = tmp_path / "photos" / ("deep" if i % 2 else "")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(name.encode())
        return str(tmp_path / "photos")

    return make


def test_photos_in_the_records(register, make_record_set):
    asked = register()
    directory = make_record_set(keep_photos=True)
    report = verify(str(directory), SampleRequest(6, files={"weights": "w.h5"}))
    assert report.whole
    sample = report.sample
    assert (sample.asked, sample.compared, sample.identical) == (6, 6, 6)
    assert sample.worst == 0
    assert asked == [{"weights": "w.h5"}]


def test_photos_in_a_directory(register, record_set, photos):
    register()
    report = verify(str(record_set), SampleRequest(99, photos(record_set)))
    assert report.whole
    assert (report.sample.asked, report.sample.identical) == (17, 17)


def test_half_precision_is_compared_as_it_is_stored(register, make_record_set):
    register()
    directory = make_record_set(keep_photos=True, dtype="float16")
    assert verify(str(directory), SampleRequest(17)).sample.identical == 17


def test_features_of_low_precision_are_compared_with_float32(
    register, make_record_set, capsys
):
    register(exact_scale=1.25)
    directory = str(make_record_set(keep_photos=True))
    sample = verify(directory, SampleRequest(6)).sample
    assert (sample.compared, sample.identical) == (6, 6)
    assert sample.mean_deviation == pytest.approx(0.25)
    assert sample.worst_deviation == pytest.approx(0.25)
    assert main(["verify", directory, "--sample", "6"]) == 0
    assert "against float32" in capsys.readouterr().out


def test_the_mean_and_the_worst_deviation(make_record):
    sample = feature_check.SampleResult(asked=2, tolerance=0.01)
    place = RecordLocation("train", 0, 0)
    for deviation in (0.1, 0.3):
        sample.add(place, make_record("a.jpg"), 0.0)
        sample.add_deviation(deviation)
    summary = sample.summary()
    assert summary["mean_deviation"] == pytest.approx(0.2)
    assert summary["worst_deviation"] == 0.3


def test_a_float32_encoder_has_no_deviation(register, make_record_set):
    register()
    sample = verify(str(make_record_set(keep_photos=True)), SampleRequest(2)).sample
    assert sample.summary()["mean_deviation"] is None


def test_other_features_are_named_by_shard_and_record(register, make_record_set):
    register(scale=1.02)
    directory = make_record_set(keep_photos=True)
    report = verify(str(directory), SampleRequest(3))
    assert len(report.problems) == 3
    for shard, record, what in report.problems:
        assert shard.endswith(".tfrecord") and record is not None
        assert "features differ by a relative 0.02; 0.01 is allowed" in what
    assert report.sample.worst == pytest.approx(0.02, rel=1e-4)
    assert report.sample.identical == 0


def test_rounding_is_allowed_and_told(register, make_record_set):
    register(scale=1.0001)
    report = verify(str(make_record_set(keep_photos=True)), SampleRequest(4))
    assert report.whole
    assert (report.sample.compared, report.sample.identical) == (4, 0)
    assert report.sample.worst == pytest.approx(1e-4, rel=1e-2)
    assert report.sample.worst_at[0].endswith(".tfrecord")


def test_a_changed_photo_and_one_that_is_gone(register, record_set, photos, tmp_path):
    register()
    folder = photos(record_set)
    paths = sorted(path for path in (tmp_path / "photos").rglob("*.jpg"))
    paths[0].write_bytes(b"another")
    paths[1].unlink()
    report = verify(str(record_set), SampleRequest(17, folder))
    assert report.sample.compared == 15
    found = {problem.what for problem in report.problems}
    assert found == {
        f"{paths[0].name}: {paths[0]} has changed since: its SHA-256 is another",
        f"{paths[1].name}: no photo of that name in {folder}",
    }
    assert all(problem.record is not None for problem in report.problems)


def test_a_photo_that_is_no_longer_decoded(register, make_record_set):
    register(undecodable={"dev1.jpg"})
    report = verify(str(make_record_set(keep_photos=True)), SampleRequest(17))
    (problem,) = report.problems
    assert problem.what == "dev1.jpg: can no longer be decoded: no JPEG"
    assert report.sample.identical == 16


def test_another_encoder_is_one_problem(register, make_record_set, edit_manifest):
    directory = make_record_set(keep_photos=True)
    register(info=load_manifest(str(directory)).encoder)
    edit_manifest(directory, encoder__digest="f" * 64)
    (problem,) = verify(str(directory), SampleRequest(5)).problems
    assert problem.file == FILE_NAME
    assert "digest ffffffffffff…; loaded one of 0123456789ab…" in problem.what


def test_without_an_encoder(monkeypatch, make_record_set):
    monkeypatch.setattr(feature_check, "entry_points", lambda group: [])
    with pytest.raises(UserError, match=r"entry point group records\.encoders\); inst"):
        verify(str(make_record_set(keep_photos=True)), SampleRequest(1))


def test_an_encoder_that_does_not_load(monkeypatch, make_record_set):
    entry = Entry(None)

    def load():
        raise ImportError("no Keras")

    entry.load = load
    monkeypatch.setattr(feature_check, "entry_points", lambda group: [entry])
    with pytest.raises(UserError, match="fake:load does not load: no Keras"):
        verify(str(make_record_set(keep_photos=True)), SampleRequest(1))


@pytest.mark.parametrize(
    ("photos", "message"),
    [("/nowhere", "--photos: no directory /nowhere"), (None, "with --photos DIR")],
)
def test_without_a_directory_of_photos(register, record_set, photos, message):
    register()
    with pytest.raises(UserError, match=message):
        verify(str(record_set), SampleRequest(1, photos))


INFOS = [
    ShardInfo(name=f"s{i}", photos=photos, captions=0, bytes=0, sha256="")
    for i, photos in enumerate((100, 0, 3, 50))
]


def test_the_choice_is_spread_over_the_shards():
    chosen = choose(INFOS, 30, seed=0)
    assert {name: len(numbers) for name, numbers in chosen.items()} in (
        {"s0": 14, "s2": 3, "s3": 13},
        {"s0": 13, "s2": 3, "s3": 14},
    )
    assert all(0 <= i < 50 for i in chosen["s3"])
    assert sum(map(len, choose(INFOS, 1000, seed=0).values())) == 153
    assert len([n for n in choose(INFOS, 2, seed=0).values() if n]) == 2


def test_the_choice_depends_on_the_seed_alone():
    assert choose(INFOS, 30, seed=1) == choose(INFOS, 30, seed=1)
    assert choose(INFOS, 30, seed=1) != choose(INFOS, 30, seed=2)


@pytest.mark.parametrize(
    ("stored", "again", "expected"),
    [
        ([3, 4], [3, 4], 0),
        ([3, 4], [3, 4.5], 0.1),
        ([0, 0], [0, 0], 0),
        ([0, 0], [0, 1], math.inf),
        ([1, 1], [1, math.nan], math.inf),
    ],
)
def test_relative_error(stored, again, expected):
    stored, again = np.array(stored, np.float32), np.array(again, np.float32)
    assert relative_error(stored, again) == pytest.approx(expected)


def test_less_is_asked_of_half_precision():
    single, half = (FeatureSpec(shape=(1,), dtype=f"float{n}") for n in (32, 16))
    assert tolerance(half) > tolerance(single) > 0


def test_json(register, make_record_set, capsys):
    register()
    directory = make_record_set(keep_photos=True)
    assert main(["verify", str(directory), "--sample", "2", "--json"]) == 0
    sample = json.loads(capsys.readouterr().out)["sample"]
    assert (sample["asked"], sample["identical"], sample["worst"]) == (2, 2, 0)
    register(scale=math.nan)
    assert main(["verify", str(directory), "--sample", "2", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["sample"]["worst"] is None


def test_the_table(register, make_record_set, capsys):
    register(scale=1.5)
    directory = make_record_set(keep_photos=True)
    assert main(["verify", str(directory), "--sample", "2"]) == 1
    out = capsys.readouterr().out
    assert "features identical   │ 0" in out
    assert "worst relative error │ 0.5" in out
    assert "damaged: 2 problems" in out


@pytest.mark.parametrize(
    "flags", [["--photos", "p"], ["--encoder_weights", "w"], ["--seed", "1"]]
)
def test_options_of_the_sample_alone_are_wrong_usage(record_set, flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["verify", str(record_set), *flags])
    assert stopped.value.code == 2
    assert "belong to --sample N" in capsys.readouterr().err


def test_features_that_are_not_finite_are_told_once(register, make_record_set):
    def rearrange(arranged):
        first = arranged["dev"][0][0]
        features = np.full([4], np.nan, np.float32)
        arranged["dev"][0][0] = dataclasses.replace(first, features=features)

    register()
    report = verify(
        str(make_record_set(keep_photos=True, rearrange=rearrange)), SampleRequest(17)
    )
    (problem,) = report.problems
    assert "features are not all finite" in problem.what
    assert report.sample.compared == 16
