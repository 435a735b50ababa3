"""The captioner, on a SavedModel of a few operations with the exported signature."""

import io
import os
import shutil
import struct
import subprocess
import sys
import zlib
from types import SimpleNamespace

import pytest
import tensorflow as tf
from PIL import Image

from records.errors import UserError
from records.photo_header import PhotoProblem, read_header
from tfcap.cli import main
from tfcap.inference import export_directory
from tfcap.inference.captioner import (
    Captioned,
    Captioner,
    Explained,
    caption_within,
    explain_within,
)

UNREADABLE = "not readable"


class SizeModel(tf.Module):
    """Says how wide and high a photo is; the score is minus its mean brightness."""

    def __init__(self):
        super().__init__()
        self.scale = tf.Variable(-1.0 / 255)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def caption(self, image_bytes):
        good = tf.strings.length(image_bytes) > 40
        signature = (tf.TensorSpec([], tf.string), tf.TensorSpec([], tf.float32))
        caption, score = tf.map_fn(
            lambda pair: tf.cond(
                pair[1], lambda: self._one(pair[0]), lambda: ("", 0.0)
            ),
            (image_bytes, good),
            fn_output_signature=signature,
        )
        error = tf.where(good, "", UNREADABLE)
        return {"caption": caption, "score": score, "error": error}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "photos")])
    def other(self, photos):
        return {"caption": photos}

    def _one(self, photo):
        image = tf.io.decode_image(photo, channels=3, expand_animations=False)
        size = tf.strings.as_string(tf.shape(image))
        caption = tf.strings.join(["größe", size[1], size[0]], " ")
        return caption, self.scale * tf.reduce_mean(tf.cast(image, tf.float32))


def photo(width=4, height=3, colour="white", kind="PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def export(tmp_path_factory) -> str:
    directory = tmp_path_factory.mktemp("export")
    model = SizeModel()
    tf.saved_model.save(model, str(directory / "1"), model.caption)
    return str(directory)


@pytest.fixture(scope="module")
def captioner(export) -> Captioner:
    return Captioner(export)


def test_captions_every_format_in_order(captioner):
    photos = [photo(5, 2, kind=kind) for kind in ("PNG", "JPEG", "GIF", "BMP")]
    photos.append(photo(7, 1, "black"))
    captions = captioner.caption(photos)
    assert captions[:4] == [Captioned("größe 5 2", -1.0)] * 4
    assert captions[4] == Captioned("größe 7 1", 0.0)


def test_bad_photos_cost_only_themselves(captioner):
    captions = captioner.caption_batch([b"", photo(), b"no photo", photo()[:40]])
    bad = Captioned("", 0.0, UNREADABLE)
    assert captions == [bad, Captioned("größe 4 3", -1.0), bad, bad]


def test_no_photos(captioner):
    assert captioner.caption([]) == []


def test_warm_up_runs_every_signature(captioner):
    captioner.warm_up()  # this export has no `explain`
    runs = []

    def run_as(name):
        def run(image_bytes):
            runs.append((name, len(image_bytes)))
            outputs = {"caption": [""], "score": [0.0], "error": ["black"]}
            return {name: tf.constant(values) for name, values in outputs.items()}

        return run

    names = ["serving_default", "explain"]
    model = SimpleNamespace(signatures={name: run_as(name) for name in names})
    Captioner.from_model(model).warm_up()
    assert runs == [("serving_default", 1), ("explain", 1)]


def test_a_saved_model_without_a_version_directory(export):
    captioner = Captioner(os.path.join(export, "1"))
    assert captioner.version == "1"
    assert captioner.caption([photo()])[0].caption == "größe 4 3"


def test_the_highest_complete_version_wins(export, tmp_path):
    for version in ("9", "10"):
        shutil.copytree(os.path.join(export, "1"), tmp_path / version)
    for other in ("11", ".12.tmp", "latest", os.fsdecode(b"13\xff")):
        (tmp_path / other).mkdir()
    assert Captioner(tmp_path).version == "10"


@pytest.mark.parametrize("name", ["nowhere", "empty", "file"])
def test_no_saved_model_says_where_and_what_to_do(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as error:
        Captioner(str(tmp_path / name))
    assert f"no SavedModel in {tmp_path / name} " in str(error.value)
    assert "tfcap export --workdir DIR --output DIR" in str(error.value)


def test_a_damaged_saved_model(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"\xff damaged")
    with pytest.raises(UserError, match=r"cannot load the SavedModel in .*tfcap expor"):
        Captioner(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": 2}', "was written by a newer tfcap (format 2, this one reads 1)"),
        ('{"format": 0}', "is damaged: its format is 0; export one with: tfcap export"),
        ('{"form', "is damaged: it says no format; export one with: tfcap export"),
        ("[" * 100_000, "is damaged: it says no format"),
        ("[]", "is damaged: it says no format"),
    ],
    ids=range(5),
)
def test_an_export_of_another_version(tmp_path, content, message, capsys):
    path = tmp_path / "1" / export_directory.FORMAT_FILE
    path.parent.mkdir(parents=True)
    path.write_text(content)
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"of whatever version")
    argv = ["caption", "--model", str(tmp_path), str(tmp_path / "photo.jpg")]
    assert main.main(argv) == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {path} {message}") and not out


def test_an_export_of_this_version(export, tmp_path):
    shutil.copytree(os.path.join(export, "1"), tmp_path / "1")
    path = tmp_path / "1" / export_directory.FORMAT_FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text('{"format": 1}')
    assert Captioner(tmp_path).version == "1"


def test_a_model_that_is_no_captioner(tmp_path):
    model = SizeModel()
    tf.saved_model.save(model, str(tmp_path / "other"), model.other)
    tf.saved_model.save(model, str(tmp_path / "named"), {"caption": model.caption})
    for name in ("other", "named"):
        with pytest.raises(
            UserError, match="must take image_bytes and give caption, s"
        ):
            Captioner(str(tmp_path / name))


def test_captioning_needs_tensorflow_alone(export, tmp_path):
    (tmp_path / "white.png").write_bytes(photo())
    code = f"""
import pathlib, sys
for name in ("keras", "tensorflow_text", "PIL", "tfcap.config.experiment"):
    sys.modules[name] = None  # importing it fails
from tfcap.inference.captioner import Captioner
photo = pathlib.Path({str(tmp_path / "white.png")!r}).read_bytes()
assert Captioner({export!r}).caption([photo])[0].error is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_pixels_are_counted(kind):
    assert read_header(photo(40, 30, kind=kind)).cost == 1200


def test_pixels_of_no_photo():
    whole = photo(kind="GIF")
    tiff = photo(kind="TIFF")
    for other in (b"", b"no photo", tiff, whole[:8], photo()[:20], b"\xff\xd8\xff"):
        with pytest.raises(PhotoProblem):
            read_header(other)


def test_pixels_of_a_bomb_are_read_from_its_header():
    bomb = bytearray(photo())
    bomb[16:24] = struct.pack(">II", 60_000, 60_000)
    bomb[29:33] = struct.pack(">I", zlib.crc32(bomb[12:29]))
    assert read_header(bytes(bomb)).cost > 10**9


def test_every_frame_of_a_gif_counts():
    frames = [Image.new("RGB", (20, 10), (i, 0, 0)) for i in range(0, 250, 50)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert read_header(file.getvalue()).cost == 5 * 200


def test_a_gif_frame_larger_than_its_screen_counts():
    gif = bytearray(photo(kind="GIF"))
    start = gif.index(b",", 13 + 3 * 2)
    gif[start + 5 : start + 9] = struct.pack("<HH", 65_535, 65_535)
    assert read_header(bytes(gif)).cost >= 65_535**2


def test_paths_and_contents_are_captioned_alike(captioner, tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(photo())
    alone = captioner.caption([photo()])
    photos = [path, str(path), photo(), tmp_path / "none.jpg", b"no photo"]
    *captions, missing, refused = captioner.caption(photos)
    assert captions == alone * 3
    assert missing.error == "No such file or directory"
    assert refused.error.startswith("not an image")


def test_any_number_of_photos_runs_in_batches(captioner, monkeypatch):
    sizes = []
    run = captioner.caption_batch
    monkeypatch.setattr(
        captioner,
        "caption_batch",
        lambda photos: sizes.append(len(photos)) or run(photos),
    )
    assert len(captioner.caption(photo() for _ in range(70))) == 70
    assert sizes == [32, 32, 6]


class CountingCaptioner:
    def __init__(self):
        self.batches = []

    def caption_batch(self, photos):
        self.batches.append(list(photos))
        return [Captioned(str(len(photo)), -1.0) for photo in photos]

    def explain_batch(self, photos):
        return [Explained((one,)) for one in self.caption_batch(photos)]


@pytest.mark.parametrize("within", [caption_within, explain_within])
def test_photos_run_in_batches_of_bounded_pixels(within):
    small, large, too_large = photo(4, 3), photo(10, 9), photo(11, 10)
    captioner = CountingCaptioner()
    photos = [small, too_large, large, b"no photo", small, small]
    results = within(captioner, photos, max_pixels=100)
    assert captioner.batches == [[small], [large], [small, small]]
    assert [result.error for result in results] == [
        None,
        "too many pixels: 11 x 10 pixels; 100 at most",
        None,
        "not an image: begins with b'no photo'",
        None,
        None,
    ]
    best = getattr(results[2], "beams", results[2:])[0]
    assert best.caption == str(len(large))
