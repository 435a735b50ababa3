"""Work directories: one run at a time, the same run each time."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext

import pytest

from records.console import short_digest
from records.errors import UserError
from records.format.record_set import RecordSet
from records.text.vocabulary import FILE_NAME as VOCABULARY
from records.text.vocabulary import Vocabulary
from tfcap.config.experiment import Config
from tfcap.config.loading import parse_config
from tfcap.runs.workdir import Workdir, check_fits, lock_workdir

ANOTHER = """
import sys
from tfcap.runs.workdir import lock_workdir
with lock_workdir(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def start(workdir, records, config=None) -> Workdir:
    config = config or Config()
    return Workdir.create_or_resume(str(workdir), config, records)


def change(records: RecordSet, **fields) -> RecordSet:
    """The same records with another manifest."""
    path = os.path.join(records.directory, "dataset.json")
    with open(path) as file:
        content = json.load(file)
    for name, value in fields.items():
        part, _, key = name.partition("__")
        if key:
            content[part][key] = value
        else:
            content[part] = value
    with open(path, "w") as file:
        json.dump(content, file)
    return RecordSet.open(records.directory)


def with_other_words(records: RecordSet) -> RecordSet:
    """The same size of vocabulary, but a zebra for a dog."""
    tokens = [t if t != "dog" else "zebra" for t in records.vocabulary.tokens]
    other = Vocabulary(tuple(tokens))
    other.save(os.path.join(records.directory, VOCABULARY))
    return change(records, vocabulary_sha256=other.digest)


def test_a_second_run_is_refused_while_the_first_is_there(tmp_path):
    path = str(tmp_path / "run")
    with subprocess.Popen(
        [sys.executable, "-c", ANOTHER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        who = rf"--workdir: another .* {path} \(process {other.pid} on .*wait for it"
        with pytest.raises(UserError, match=who), lock_workdir(path):
            pass
        other.stdin.close()
    with lock_workdir(path):
        assert os.path.isdir(path)


def test_a_run_that_is_refused_leaves_nothing(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(UserError), lock_workdir(str(path)):
        raise UserError("wrong")
    assert not path.exists()
    with lock_workdir(str(path)):
        (path / "config.yaml").write_text("")
    assert [file.name for file in path.iterdir()] == ["config.yaml"]


def test_a_work_directory_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    message = "--workdir: cannot make .*file/run: Not a directory"
    with (
        pytest.raises(UserError, match=message),
        lock_workdir(str(tmp_path / "file" / "run")),
    ):
        pass


def test_another_encoder_is_shown_beside_the_one_it_was(make_records, tmp_path):
    records = make_records()
    start(tmp_path / "run", records)
    other = change(
        records,
        encoder__digest="e" * 64,
        encoder__pooling="grid",
        encoder__input_size=9,
        encoder__crops=5,
        encoder__flip=True,
    )
    old = r"fake \(8 x 8 pixels, avg, d{12}…\)"
    new = r"fake \(9 x 9 pixels, 5 crops, flip, grid, e{12}…\)"
    message = f"encoder {old} then, {new} now"
    with pytest.raises(UserError, match=rf"{message}\. Use another --workdir"):
        start(tmp_path / "run", other)
    with pytest.raises(UserError, match=rf"{message}\. Name the records it was"):
        check_fits(Workdir.open(str(tmp_path / "run")), other)


def test_a_model_reads_the_same_encoders_features_of_another_precision(
    make_records, tmp_path
):
    records = make_records()
    start(tmp_path / "run", records)
    other = change(
        records,
        encoder__digest="e" * 64,
        encoder__precision="bfloat16",
        encoder__float32_digest=records.manifest.encoder.digest,
    )
    check_fits(Workdir.open(str(tmp_path / "run")), other)
    with pytest.raises(UserError, match=r"avg, bfloat16, e{12}…\) now\. Use another"):
        start(tmp_path / "run", other)


def test_another_vocabulary_is_shown_beside_the_one_it_was(make_records, tmp_path):
    records = make_records()
    start(tmp_path / "run", records)
    other = with_other_words(records)
    old, new = (short_digest(r.vocabulary.digest) for r in (records, other))
    message = rf"of 12 tokens \({old}\) then, a vocabulary of 12 tokens \({new}\) now"
    with pytest.raises(UserError, match=message):
        start(tmp_path / "run", other)


def test_no_space_for_the_first_files(make_records, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    records = make_records()
    monkeypatch.setattr("records.storage.base.NewLocalFile.finish", fail)
    with pytest.raises(UserError, match=r"cannot write .*run/.*: No space left on"):
        start(tmp_path / "run", records)


@pytest.mark.parametrize("kind", ["last", "best"])
def test_without_a_finished_epoch_there_is_no_best(make_records, tmp_path, kind):
    workdir = start(tmp_path / "run", make_records())
    os.makedirs(workdir.folder("checkpoints", kind))
    with pytest.raises(UserError, match="holds no finished epoch yet; train on"):
        workdir.restore_best()


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        ({"training": {"clip_norm": 1}}, {}, "clip_norm: 1.0; this command has null"),
        ({"decoding": {"beam_width": 1}}, {"training": {"patience": 1}}, None),
        ({}, {"model": {"name": "attention"}}, "model.name: 'merge'; .* 'attention'"),
        ({"model": {"photo": "init"}}, {}, "model.photo: 'init'; .* 'merge'"),
    ],
)
def test_a_difference_is_shown_as_yaml_writes_it(
    make_records, tmp_path, before, now, message
):
    first, second = (parse_config(content, "test") for content in (before, now))
    records = make_records()
    start(tmp_path / "run", records, first)
    refused = pytest.raises(UserError, match=f"was started with .*{message}")
    with refused if message else nullcontext():
        start(tmp_path / "run", records, second)
