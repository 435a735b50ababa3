"""One process at a time in a directory."""

import errno
import fcntl
import json
import os
import re
import socket
import subprocess
import sys

import pytest

from records.errors import UserError
from records.storage.locks import FILE_NAME, LockOwner, locked


def lock(folder):
    return locked(str(folder), str(folder))


@pytest.fixture
def gone() -> int:
    """A process id that no process has."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave(folder, host: str, pid: int) -> None:
    holder = LockOwner(host=host, pid=pid, started="2020-01-01 00:00:00")
    (folder / FILE_NAME).write_text(holder.model_dump_json())


def test_the_lock_says_who_holds_it(tmp_path):
    with lock(tmp_path):
        held = json.loads((tmp_path / FILE_NAME).read_text())
    assert (held["host"], held["pid"]) == (socket.gethostname(), os.getpid())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", held["started"])


def test_a_second_job_is_refused(tmp_path):
    with lock(tmp_path):
        for _ in range(2):
            with pytest.raises(UserError) as error, lock(tmp_path):
                pass
        assert (tmp_path / FILE_NAME).exists()
    who = f"process {os.getpid()} on {re.escape(socket.gethostname())}, since .* UTC"
    expected = rf"--output: another job is writing to .* \({who}\); wait for it, or "
    assert re.match(expected, str(error.value))


def test_another_folder_is_free(tmp_path):
    (tmp_path / "other").mkdir()
    with lock(tmp_path), lock(tmp_path / "other"):
        pass


@pytest.mark.parametrize(
    "error", [None, UserError, RuntimeError, KeyboardInterrupt, SystemExit]
)
def test_the_lock_is_gone_at_the_end(tmp_path, error):
    try:
        with lock(tmp_path):
            if error:
                raise error
    except BaseException as raised:
        assert isinstance(raised, error)
    assert list(tmp_path.iterdir()) == []
    with lock(tmp_path):
        pass


def test_a_stale_lock_is_taken_over_with_a_note(tmp_path, gone, caplog):
    caplog.set_level("INFO")
    leave(tmp_path, socket.gethostname(), gone)
    with lock(tmp_path):
        assert (
            LockOwner.model_validate_json((tmp_path / FILE_NAME).read_text()).pid
            == os.getpid()
        )
    (message,) = caplog.messages
    assert message.startswith(f"taking over {tmp_path}: process {gone} on ")
    assert message.endswith(" is gone")
    assert not (tmp_path / FILE_NAME).exists()


def test_a_process_id_used_again_keeps_no_lock(tmp_path):
    leave(tmp_path, socket.gethostname(), os.getpid())
    with lock(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "{", "{}"])
def test_a_lock_file_that_says_nothing_is_stale(tmp_path, content, caplog):
    caplog.set_level("INFO")
    (tmp_path / FILE_NAME).write_text(content)
    with lock(tmp_path):
        pass
    assert caplog.messages == []


def test_a_lock_of_another_host_is_left_to_a_person(tmp_path, gone):
    leave(tmp_path, "elsewhere", gone)
    before = (tmp_path / FILE_NAME).read_text()
    message = rf"{gone} on elsewhere.* remove .*/lock"
    with pytest.raises(UserError, match=message), lock(tmp_path):
        pass
    assert (tmp_path / FILE_NAME).read_text() == before


def test_a_lock_that_another_job_took_meanwhile_stays(tmp_path):
    """As after the last step, which removes the folder of reports."""
    with lock(tmp_path):
        (tmp_path / FILE_NAME).unlink()
        (tmp_path / FILE_NAME).write_text("another job's")
    assert (tmp_path / FILE_NAME).read_text() == "another job's"


def test_a_folder_that_is_gone_at_the_end(tmp_path):
    (tmp_path / "reports").mkdir()
    with lock(tmp_path / "reports"):
        (tmp_path / "reports" / FILE_NAME).unlink()
        (tmp_path / "reports").rmdir()


def test_a_file_system_without_locks_is_no_hindrance(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with lock(tmp_path):
        pass
    (message,) = caplog.messages
    assert message.endswith("lock cannot be locked: No locks available")


def test_a_lock_that_cannot_be_made(tmp_path):
    message = r"--output: cannot make .*gone/lock: No such"
    with pytest.raises(UserError, match=message), lock(tmp_path / "gone"):
        pass


def test_messages_name_the_option_of_the_command(tmp_path):
    again = locked(str(tmp_path), "runs/a", "--workdir")
    with lock(tmp_path), pytest.raises(UserError) as error, again:
        pass
    assert str(error.value).startswith("--workdir: another job is writing to runs/a (")


def test_no_space_for_the_lock(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    message = r"--output: cannot write .*lock: No space left"
    with pytest.raises(UserError, match=message), lock(tmp_path):
        pass
