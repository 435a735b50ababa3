"""The folder a job writes to: taken over, refused, gone on with, replaced."""

import errno
import os
import re

import pytest

from beam_jobs.io import output_directory
from beam_jobs.io.output_directory import (
    REPORTS,
    STARTED,
    Report,
    finished_report,
    save_report,
)
from records.errors import UserError
from records.format.rejects import Reject
from records.storage.locks import FILE_NAME

SHARDS = re.compile(r"part-\d")


def prepare(output, overwrite=False):
    output_directory.prepare(str(output), "last.json", overwrite)


def test_text_that_cannot_be_removed_is_named(tmp_path, monkeypatch):
    def fail(path):
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)

    prepare(tmp_path)
    (tmp_path / REPORTS / "text").mkdir()
    monkeypatch.setattr(output_directory, "remove_directory", fail)
    with pytest.raises(UserError, match=r"cannot remove .*text: Directory not empty"):
        prepare(tmp_path)


def test_a_new_directory_is_made(tmp_path):
    prepare(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / REPORTS).is_dir()


def test_an_interrupted_job_goes_on(tmp_path):
    prepare(tmp_path)
    (tmp_path / REPORTS / "part-0.json").write_text("{}")
    prepare(tmp_path)
    assert (tmp_path / REPORTS / "part-0.json").exists()


def test_a_job_of_a_newer_version_is_not_begun_anew_unasked(tmp_path):
    prepare(tmp_path)
    started = tmp_path / REPORTS / STARTED
    (tmp_path / REPORTS / "part-0.json").write_text("{}")
    assert started.read_text() == '{"format": 1}\n'
    started.write_text('{"format": 2}')
    message = rf"{started} was written by a newer tfcap \(format 2, .* add --overwrite"
    with pytest.raises(UserError, match=message):
        prepare(tmp_path)
    with pytest.raises(UserError, match=message), prepared(tmp_path):
        pass
    assert (tmp_path / REPORTS / "part-0.json").exists()
    prepare(tmp_path, overwrite=True)
    assert started.read_text() == '{"format": 1}\n'


@pytest.mark.parametrize("said", [None, "a job began here\n", '{"form', "[]"])
def test_a_job_of_before_the_format_was_said_goes_on(tmp_path, said):
    prepare(tmp_path)
    started = tmp_path / REPORTS / STARTED
    started.unlink() if said is None else started.write_text(said)
    (tmp_path / REPORTS / "part-0.json").write_text("{}")
    prepare(tmp_path)
    assert (tmp_path / REPORTS / "part-0.json").exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"plan": "p"}', '{"plan": "p", "colour": 1}']
)
def test_the_shard_of_a_damaged_report_is_written_anew(tmp_path, content):
    prepare(tmp_path)
    report = tmp_path / REPORTS / "part-0.json"
    report.write_text(content)
    (tmp_path / "part-0").write_bytes(b"abc")
    assert finished_report(Report, str(tmp_path), "part-0", "p") is None
    assert not report.exists()


def test_rejects_of_an_earlier_job_go(tmp_path):
    prepare(tmp_path)
    output_directory.write_rejects(
        str(tmp_path), [Reject("photo", "a.jpg", "no_caption", "none", 0)]
    )
    prepare(tmp_path)
    assert (tmp_path / "rejects.jsonl").read_bytes() == b""


def test_rejects_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "rejects.jsonl").mkdir()
    with pytest.raises(UserError, match=r"cannot write .*rejects\.jsonl: "):
        output_directory.write_rejects(str(tmp_path), [])


def test_a_finished_output_is_refused(tmp_path):
    (tmp_path / "last.json").write_text("{}")
    with pytest.raises(UserError, match=r"already holds .* add --overwrite"):
        prepare(tmp_path)
    assert (tmp_path / "last.json").exists()


def test_a_foreign_directory_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(UserError, match=r"is not an empty directory.* --overwrite"):
        prepare(tmp_path)
    assert not (tmp_path / REPORTS).exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_is_refused(tmp_path, overwrite):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--output: "):
        prepare(tmp_path / "file", overwrite)


def test_overwriting_removes_what_would_make_the_old_output_count(tmp_path):
    prepare(tmp_path)
    (tmp_path / REPORTS / "part-0.json").write_text("{}")
    (tmp_path / "last.json").write_text("{}")
    (tmp_path / "thesis.txt").write_text("")
    prepare(tmp_path, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {
        REPORTS,
        "thesis.txt",
        "rejects.jsonl",
    }
    assert [path.name for path in (tmp_path / REPORTS).iterdir()] == [STARTED]


def test_a_report_counts_only_beside_its_whole_shard(tmp_path):
    prepare(tmp_path)
    report = Report(plan="p", size=3, rejects=[])

    def found(plan="p"):
        save_report(str(tmp_path), "part-0", report)
        return finished_report(Report, str(tmp_path), "part-0", plan)

    assert found() is None
    (tmp_path / "part-0").write_bytes(b"abc")
    assert found() == report
    assert found("q") is None
    assert not (tmp_path / REPORTS / "part-0.json").exists()
    (tmp_path / "part-0").write_bytes(b"ab")
    assert found() is None


def test_only_shards_and_temporary_files_are_left_over(tmp_path):
    for name in ("part-0", "part-1", ".part-1.x.tmp", ".hidden", "notes.txt"):
        (tmp_path / name).write_text("")
    output_directory.remove_leftovers(str(tmp_path), SHARDS, {"part-1"})
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"part-1", ".hidden", "notes.txt"}


def prepared(output, overwrite=False):
    return output_directory.claim(str(output), "last.json", overwrite)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_running_job_loses_nothing_to_a_second(tmp_path, overwrite):
    with prepared(tmp_path):
        for name in (f"{output_directory.REPORTS}/part-0.json", "part-0"):
            (tmp_path / name).write_text("{}")
        with (
            pytest.raises(UserError, match="is writing"),
            prepared(tmp_path, overwrite),
        ):
            pass
        left = {path.name for path in tmp_path.rglob("*")}
    names = {"part-0.json", "part-0", "rejects.jsonl", FILE_NAME, STARTED}
    assert left == {output_directory.REPORTS, *names}


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_lock_is_kept_while_the_folder_is_prepared(tmp_path, overwrite):
    with prepared(tmp_path / "out", overwrite):
        assert (tmp_path / "out" / output_directory.REPORTS / FILE_NAME).exists()
        with pytest.raises(UserError), prepared(tmp_path / "out", overwrite):
            pass


@pytest.mark.parametrize("name", ["last.json", "thesis.txt"])
def test_a_refused_folder_gets_no_lock(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match="add --overwrite"), prepared(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_job_that_ended_while_the_lock_was_sought(tmp_path, monkeypatch):
    take = output_directory.locked

    def late(folder, output):
        (tmp_path / "last.json").write_text("{}")
        return take(folder, output)

    monkeypatch.setattr(output_directory, "locked", late)
    with pytest.raises(UserError, match="already holds"), prepared(tmp_path):
        pass
