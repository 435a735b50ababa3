"""The files of an export."""

import errno
from pathlib import Path

import pytest
import tensorflow as tf

from records.errors import UserError
from records.storage.files import file_sizes
from tfcap.cli import main
from tfcap.export.saved_model import export, put_in_place


def test_an_export_is_not_replaced_unasked(captioner, saved, tmp_path):
    before = file_sizes(str(saved), nested=True)
    with pytest.raises(UserError, match="exists; add --overwrite"):
        export(captioner, str(saved.parent))
    assert file_sizes(str(saved), nested=True) == before
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "leftover").touch()
    path = Path(export(captioner, str(tmp_path), overwrite=True))
    assert (path / "saved_model.pb").exists() and not (path / "leftover").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize("failing", ["save", "warmup.write", "write_text"])
def test_a_failed_export_leaves_what_was_there(
    captioner, tmp_path, monkeypatch, failing
):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "earlier").touch()
    monkeypatch.setattr(f"tfcap.export.saved_model.{failing}", full)
    for overwrite, folder in ((True, tmp_path), (False, tmp_path / "new")):
        with pytest.raises(UserError, match=r"^cannot write .*/1: .*No space left"):
            export(captioner, str(folder), overwrite)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["earlier"]
    monkeypatch.undo()
    assert Path(export(captioner, str(tmp_path / "new")), "saved_model.pb").exists()


@pytest.mark.parametrize("ending", [OSError(errno.EIO, "broken"), KeyboardInterrupt()])
def test_an_earlier_export_is_removed_only_after_the_rename(
    tmp_path, monkeypatch, ending
):
    def rename(old, new):
        assert Path(new).parent == tmp_path and not Path(new).exists()
        if old == f"{tmp_path}/.new":
            raise ending
        Path(old).rename(new)

    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "earlier").touch()
    (tmp_path / ".new").mkdir()
    with monkeypatch.context() as patched, pytest.raises(type(ending)):
        patched.setattr("tensorflow.io.gfile.rename", rename)
        put_in_place(f"{tmp_path}/.new", f"{tmp_path}/1")
    assert (tmp_path / "1" / "earlier").exists() and (tmp_path / ".new").exists()
    put_in_place(f"{tmp_path}/.new", f"{tmp_path}/1")
    assert [path.name for path in tmp_path.rglob("*")] == ["1"]


def test_tensorflows_error_is_told_without_its_operation(
    captioner, tmp_path, monkeypatch
):
    def full(_, path):
        operation = "{{function_node __wrapped__SaveV2_dtypes_103_device_/job:local}} "
        message = f"{operation}{path}/variables/part-0; No space left on device"
        raise tf.errors.ResourceExhaustedError(None, None, f"{message} [Op:SaveV2]")

    monkeypatch.setattr("tfcap.export.saved_model.save", full)
    with pytest.raises(UserError) as error:
        export(captioner, str(tmp_path))
    assert str(error.value) == f"cannot write {tmp_path}/1: No space left on device"


def test_the_command_says_at_once_that_its_output_exists(tmp_path, capsys):
    (tmp_path / "1").mkdir()
    flags = ["--workdir", str(tmp_path / "nowhere"), "--output", str(tmp_path)]
    assert main.main(["export", *flags]) == 1
    assert f"{tmp_path}/1 exists; add --overwrite" in capsys.readouterr().err


def test_what_lies_beside_the_graph(trained, saved):
    vocabulary = (saved / "assets" / "vocabulary.txt").read_text("utf-8")
    assert vocabulary.splitlines() == list(trained.vocabulary.tokens)
    text = (saved / "model_card.md").read_text("utf-8")
    for expected in ("only for this test", "| train | 21 | 42 |", "beam_width 3"):
        assert expected in text
    assert "`tfcap evaluate` had not been run" in text
    requests = saved / "assets.extra" / "tf_serving_warmup_requests"
    held = [r.numpy() for r in tf.data.TFRecordDataset(str(requests))]
    assert len(held) == 6
    assert (saved / "assets.extra" / "tfcap.json").read_text() == '{"format": 1}\n'
