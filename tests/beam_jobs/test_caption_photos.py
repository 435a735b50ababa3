"""Captioning a collection, with a SavedModel of a few operations."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from small_data import contents, corrupt_jpeg, huge_png, photo_bytes

from beam_jobs import caption_photos
from beam_jobs.io import output_directory
from beam_jobs.io.photo_files import match_photos
from beam_jobs.transforms.caption_shard import (
    CaptionReport,
    CaptionShard,
    Summary,
    load_captioner,
    model_digest,
)
from records.errors import UserError
from tfcap.images.decoding import read_what_can_be

BAD = {
    "corrupt.jpg": (corrupt_jpeg("x"), "corrupt_photo"),
    "empty.jpg": (b"", "empty_file"),
    "text.jpg": (b"no photo", "not_an_image"),
    "webp.jpg": (photo_bytes("x", "TIFF"), "unsupported_format"),
    "huge.jpg": (huge_png(), "too_many_pixels"),
}
GOOD = ("a.jpg", "b.jpg", "c.jpg", "deeper/d.jpg", "deeper/still/é.jpg")


class Colours(tf.Module):
    """Captions a photo with its mean colour; the score is minus its brightness."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def caption(self, image_bytes):
        pixels, error = read_what_can_be(image_bytes, 8)
        colours = tf.reduce_mean(pixels, [1, 2])
        words = tf.strings.reduce_join(tf.strings.as_string(colours), 1, separator=" ")
        return {
            "caption": words,
            "score": -tf.reduce_mean(colours, 1) / 255,
            "error": error,
        }


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("export")
    module = Colours()
    tf.saved_model.save(module, str(folder / "1"), module.caption)
    return str(folder)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    for name in GOOD:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(photo_bytes(name))
    return folder


@pytest.fixture
def flags(model, photos, tmp_path) -> list[str]:
    return [
        f"--model={model}",
        f"--photos={photos}/**.jpg",
        f"--output={tmp_path / 'out'}",
        "--shards=3",
        "--batch=2",
    ]


def lines(output: Path) -> list[dict]:
    paths = sorted(output.glob("captions-*.jsonl"))
    return [json.loads(line) for path in paths for line in path.open(encoding="utf-8")]


def test_every_photo_is_captioned_or_rejected(flags, photos, tmp_path, model, capsys):
    for name, (content, _) in BAD.items():
        (photos / name).write_bytes(content)
    assert caption_photos.main(flags) == 0
    output = tmp_path / "out"
    assert {path.name for path in output.iterdir()} == {
        *(f"captions-{i:05d}-of-00003.jsonl" for i in range(3)),
        "rejects.jsonl",
        "summary.json",
    }
    held = {line["photo"]: line for line in lines(output)}
    assert set(held) == {str(photos / name) for name in GOOD}
    for name, line in held.items():
        (alone,) = load_captioner(model).caption([Path(name).read_bytes()])
        assert line["caption"] == alone.caption
        assert line["score"] == pytest.approx(alone.score, abs=1e-5)
    rejects = [json.loads(line) for line in (output / "rejects.jsonl").open()]
    reasons = {os.path.basename(r["where"]): r["reason"] for r in rejects}
    assert reasons == {name: reason for name, (_, reason) in BAD.items()}
    summary = Summary.load(str(output))
    assert (summary.photos_in, summary.captioned) == (10, 5)
    assert summary.rejected == Counter(reasons.values())
    assert "5 photos captioned" in capsys.readouterr().out


def test_lines_stand_by_path_in_each_shard(flags, tmp_path):
    caption_photos.main([*flags, "--shards=1"])
    paths = [line["photo"] for line in lines(tmp_path / "out")]
    assert paths == sorted(paths) and len(paths) == 5


def test_workers_give_the_same_bytes(flags, tmp_path):
    caption_photos.main(flags)
    others = [f"--output={tmp_path / 'other'}", "--direct_num_workers=2"]
    caption_photos.main([*flags, *others, "--direct_running_mode=multi_threading"])
    assert contents(tmp_path / "other") == contents(tmp_path / "out")


class Breaking:
    """A captioner that counts, and breaks off at some photo; loads by its own name."""

    photos, at = 0, None

    def caption_batch(self, photos):
        Breaking.photos += len(photos)
        if Breaking.at is not None and Breaking.photos > Breaking.at:
            raise RuntimeError("the machine is switched off")
        return load_captioner(Breaking.model).caption_batch(photos)


def run(flags: list[str], breaks_at: int | None = None) -> int:
    """Runs the job as `main` does; returns how many photos were captioned."""
    args = caption_photos.make_parser().parse_args(flags)
    job = caption_photos.make_job(args)
    Breaking.photos, Breaking.at, Breaking.model = 0, breaks_at, job.model
    output_directory.prepare(job.output, Summary.file_name(), args.overwrite)
    caption_photos.caption(job, PipelineOptions([]), lambda model: Breaking())
    return Breaking.photos


def test_an_interrupted_job_goes_on_where_it_stopped(flags, tmp_path):
    output = tmp_path / "out"
    with pytest.raises(RuntimeError, match="switched off"):
        run(flags, breaks_at=4)
    assert not (output / "summary.json").exists()
    done = len(lines(output))
    assert 0 < done < 5
    (output / ".captions-00000-of-00003.jsonl.0.tmp").write_text("")
    (output / "captions-00000-of-00009.jsonl").write_text("")
    assert run(flags) == 5 - done
    run([*flags, f"--output={tmp_path / 'whole'}"])
    assert contents(output) == contents(tmp_path / "whole")


def test_a_finished_output_is_refused(flags, tmp_path):
    caption_photos.main(flags)
    with pytest.raises(UserError, match=r"already holds .* --overwrite"):
        caption_photos.main(flags)
    caption_photos.main([*flags, "--overwrite", "--shards=1"])
    assert len(lines(tmp_path / "out")) == 5


@pytest.fixture
def step(flags, tmp_path) -> CaptionShard:
    job = caption_photos.make_job(caption_photos.make_parser().parse_args(flags))
    output_directory.prepare(job.output, Summary.file_name(), False)
    step = CaptionShard(job)
    step.setup()
    return step


def captioned(step: CaptionShard, photos: Path) -> CaptionReport:
    *_, report = step.process((0, list(match_photos(f"{photos}/**.jpg"))), 5)
    return CaptionReport.model_validate_json(report)


def test_a_job_of_rejects_alone_fails(flags, photos, tmp_path):
    for name in GOOD:
        (photos / name).write_bytes(b"no photo")
    with pytest.raises(
        UserError, match=r"none of 5 photos has a caption; rejected: not_an_image 5 ph"
    ):
        caption_photos.main(flags)
    rejected = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
    assert len(rejected) == 5
    assert not (tmp_path / "out" / Summary.file_name()).exists()
    (photos / "a.jpg").write_bytes(photo_bytes("a.jpg"))
    assert caption_photos.main(flags) == 0


def test_a_changed_photo_is_captioned_again(step, photos, tmp_path):
    first = captioned(step, photos)
    (photos / "a.jpg").write_bytes(photo_bytes("other.jpg"))
    os.utime(photos / "a.jpg", (1, 1))
    assert captioned(step, photos).plan != first.plan
    text = photo_bytes("other.jpg")
    assert lines(tmp_path / "out")[0]["caption"] == (
        step.captioner.caption([text])[0].caption
    )


def test_a_model_without_memory_names_the_batch(step, photos):
    class Small:
        def caption_batch(self, photos):
            raise MemoryError

    step.captioner = Small()
    with pytest.raises(UserError, match=r"out of memory; lower --batch, \d+ now"):
        captioned(step, photos)


def test_a_shard_without_photos(step, tmp_path):
    *_, report = step.process((0, [None]), 5)
    assert CaptionReport.model_validate_json(report).captions == 0
    assert lines(tmp_path / "out") == []


def test_a_photo_whose_name_is_not_utf8(step, photos, tmp_path):
    with open(os.fsencode(photos) + b"/caf\xe9.jpg", "wb") as file:
        file.write(photo_bytes("x"))
    assert captioned(step, photos).captions == 6
    assert lines(tmp_path / "out")[3]["photo"] == f"{photos}/caf\\udce9.jpg"


@pytest.mark.parametrize("option", ["model", "photos", "output"])
def test_a_place_whose_name_is_not_utf8_is_refused(flags, option):
    name = f"--{option}=" + os.fsdecode(b"caf\xe9")
    with pytest.raises(UserError, match=rf"--{option}: caf.*: the path is not UTF-8"):
        caption_photos.main([*flags, name])


def test_another_model_has_another_digest(model, tmp_path):
    assert model_digest(model) == model_digest(model)
    module = Colours()
    tf.saved_model.save(module, str(tmp_path / "other" / "2"), module.caption)
    assert model_digest(model) != model_digest(str(tmp_path / "other"))


def test_a_model_that_holds_a_name_that_is_not_utf8(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    before = model_digest(str(tmp_path))
    with open(os.fsencode(tmp_path) + b"/caf\xe9", "wb") as file:
        file.write(b"b")
    assert model_digest(str(tmp_path)) != before


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("--photos=/nowhere/*.jpg", r"--photos: no file matches /nowhere/\*.jpg"),
        ("--model=/nowhere", "no SavedModel in /nowhere"),
    ],
)
def test_what_is_not_there_is_named(flags, wrong, message):
    with pytest.raises(UserError, match=message):
        caption_photos.main([*flags, wrong])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("--shard=3", "did you mean --shards?"),
        ("--batch=0", "expected 1 or more; received 0"),
    ],
)
def test_a_wrong_flag_exits_with_2(flags, capsys, wrong, message):
    with pytest.raises(SystemExit) as exit_:
        caption_photos.main([*flags, wrong])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
