"""Checkpoints that are whole, torn, unfinished; a disk that is full."""

import json
import re
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from records.errors import UserError
from tfcap.runs import checkpoints
from tfcap.runs.checkpoints import DIGESTS, STATE, Checkpoints

DATA, INDEX = f"{STATE}.data-00000-of-00001", f"{STATE}.index"


def holding(value: float) -> tf.train.Checkpoint:
    return tf.train.Checkpoint(weights=tf.Variable(tf.fill([100], value)))


@pytest.fixture
def saved(tmp_path) -> Checkpoints:
    """Three were saved, of 1, 2 and 3; the last two are kept."""
    kept = Checkpoints(str(tmp_path / "last"), keep=2)
    for value in (1.0, 2.0, 3.0):
        kept.save(holding(value))
    return kept


def read_newest(kept: Checkpoints) -> float:
    state = holding(0.0)
    checkpoints.read(state, kept.newest())
    (value,) = set(state.weights.numpy().tolist())
    return value


def names(kept: Checkpoints) -> list[str]:
    return sorted(path.name for path in Path(kept.folder).iterdir())


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flip_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_the_newest_are_kept(saved):
    assert names(saved) == ["2", "3"]
    assert read_newest(saved) == 3.0


def test_there_is_none_at_first(tmp_path):
    assert Checkpoints(str(tmp_path / "last"), keep=2).newest() is None


def say(path: Path, version) -> None:
    """Gives the digests another format."""
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": version}))


TEARS = [
    (DATA, truncate, r"data-00000-of-00001 has \d+ bytes, \d+ were saved"),
    (DATA, flip_bit, "data-00000-of-00001 has another SHA-256"),
    (DATA, Path.unlink, "data-00000-of-00001 is missing"),
    (INDEX, truncate, r"index has \d+ bytes, \d+ were saved"),
    (INDEX, flip_bit, "index has another SHA-256"),
    (INDEX, Path.unlink, "index is missing"),
    (DIGESTS, truncate, "digests.json is damaged"),
    (DIGESTS, lambda path: path.write_bytes(b""), "digests.json is damaged"),
    (DIGESTS, lambda path: path.write_bytes(b"[1]"), "digests.json is damaged"),
    (DIGESTS, lambda path: path.write_bytes(b"{}"), "digests.json is damaged"),
    (DIGESTS, lambda path: path.write_bytes(b"[" * 100_000), "digests.json is damaged"),
    (DIGESTS, lambda path: say(path, 0), "digests.json is damaged"),
    (DIGESTS, lambda path: say(path, "2"), "digests.json is damaged"),
]


@pytest.mark.parametrize(("name", "tear", "message"), TEARS, ids=range(len(TEARS)))
def test_a_torn_one_falls_back_to_the_one_before_and_says_so(
    saved, caplog, name, tear, message
):
    tear(Path(saved.folder, "3", name))
    assert read_newest(saved) == 2.0
    (warning,) = caplog.messages
    assert warning.startswith(f"{saved.folder}/3 is torn: ")
    assert warning.endswith("; taking the one before it")
    assert re.search(message, warning)


def test_one_of_before_the_format_was_said(saved):
    path = Path(saved.folder, "3", DIGESTS)
    path.write_text(json.dumps(json.loads(path.read_text())["files"]))
    assert read_newest(saved) == 3.0
    truncate(Path(saved.folder, "3", DATA))
    assert read_newest(saved) == 2.0


def test_one_of_a_newer_version_is_not_torn(saved, caplog):
    """None before it is taken in its place."""
    path = Path(saved.folder, "3", DIGESTS)
    path.write_text('{"format": 2, "of": "something else"}')
    with pytest.raises(UserError) as error:
        saved.newest()
    assert str(error.value) == (
        f"{path} was written by a newer tfcap (format 2, this one reads 1): install a "
        "newer tfcap"
    )
    assert caplog.messages == []
    assert names(saved) == ["2", "3"]


def test_the_one_gone_back_to_outlives_the_torn_one(saved):
    truncate(Path(saved.folder, "3", DATA))
    saved.newest()
    saved.save(holding(4.0))
    assert names(saved) == ["2", "4"]


def test_all_torn_is_one_error_that_names_the_remedy(saved):
    truncate(Path(saved.folder, "2", INDEX))
    Path(saved.folder, "3", DATA).unlink()
    with pytest.raises(UserError) as error:
        saved.newest()
    for part in ("3 is torn", "2 is torn", "from a copy", "another --workdir"):
        assert part in str(error.value)


@pytest.mark.parametrize("left", [[], [INDEX], [DATA, INDEX]])
def test_one_that_was_never_finished_is_no_checkpoint(saved, left, caplog):
    for name in {DATA, INDEX, DIGESTS} - set(left):
        Path(saved.folder, "3", name).unlink()
    assert read_newest(saved) == 2.0
    note = f"{saved.folder}/3 was not finished: passed over"
    assert caplog.messages == [note] * bool(left)
    saved.save(holding(4.0))
    assert read_newest(saved) == 4.0
    assert names(saved) == ["2", "3"]


@pytest.mark.parametrize("content", ["", 'model_checkpoint_path: "ckpt-99"\n'])
def test_a_list_of_checkpoints_beside_them_is_not_believed(saved, content):
    Path(saved.folder, "checkpoint").write_text(content)
    assert read_newest(saved) == 3.0


def test_the_folder_may_be_moved(saved, tmp_path):
    shutil.move(saved.folder, tmp_path / "elsewhere")
    assert read_newest(Checkpoints(str(tmp_path / "elsewhere"), keep=2)) == 3.0


def test_a_full_disk_loses_nothing(saved, monkeypatch):
    def fail(self, prefix):
        Path(prefix + "_temp").mkdir()
        Path(prefix + ".index").write_bytes(b"half of")
        message = f"{prefix}_temp/part-0; No space left on device [Op:SaveV2]"
        raise tf.errors.ResourceExhaustedError(None, None, message)

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.Checkpoint, "write", fail)
        with pytest.raises(UserError, match=r"in .*last: No space left on device\. "):
            saved.save(holding(4.0))
    assert names(saved) == ["2", "3"]
    assert read_newest(saved) == 3.0


def test_the_state_of_another_model_is_refused(saved):
    other = tf.train.Checkpoint(weights=tf.Variable(tf.zeros([7])))
    with pytest.raises(UserError, match=r"another model than config\.yaml describes"):
        checkpoints.read(other, saved.newest())
    more = tf.train.Checkpoint(bias=tf.Variable(0.0))
    with pytest.raises(UserError, match=r"another model than config\.yaml describes"):
        checkpoints.read(more, saved.newest())
