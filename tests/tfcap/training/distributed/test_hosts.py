"""Hosts as they are written, and as ssh and TF_CONFIG name them."""

import json
import os
import re
import shlex
import sys
from importlib.metadata import version

import pytest

from records.errors import UserError
from tfcap.training.distributed.guard import guarded
from tfcap.training.distributed.hosts import (
    Host,
    check_hosts,
    free_addresses,
    local_commands,
    read_hosts,
    read_hosts_file,
    remote_commands,
)
from tfcap.training.distributed.launcher import Launcher

HOSTS = [Host("a", "a:2222"), Host("me@b", "b:2223")]
# Runs the command on this machine, as `ssh OPTIONS HOST COMMAND` would on another.
SSH = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do
    case $1 in -o) shift ;; esac
    shift
done
if [ "$1" = unknown ]; then
    echo "ssh: Could not resolve hostname unknown" >&2
    exit 255
fi
export LOGIN="$1"
exec sh -c "$2"
"""


@pytest.fixture
def fake_ssh(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(SSH)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_a_host_has_a_login_and_an_address():
    assert read_hosts(["a", "me@b:2223"]) == HOSTS


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a", "-oProxyCommand=x"], "'-oProxyCommand=x' is no host; expected [user@]"),
        (["a", "b:99999"], "'b:99999' is no host"),
        (["a", ""], "'' is no host"),
        (["a", "b c"], "'b c' is no host"),
        (["a", "me@a"], "a:2222 is named 2 times"),
        (["a"], "at least 2 hosts are expected; received 1"),
        ([], "at least 2 hosts are expected; received 0"),
    ],
)
def test_wrong_hosts_are_refused(texts, message):
    with pytest.raises(UserError, match=re.escape(message)):
        read_hosts(texts)


def test_a_file_has_a_host_a_line(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("# chief\na\n\n  me@b:2223  # the other\n")
    assert read_hosts_file(str(path)) == HOSTS
    with pytest.raises(UserError, match=r"--hosts_file: cannot read .*none"):
        read_hosts_file(str(tmp_path / "none"))
    path.write_bytes(b"\xff")
    with pytest.raises(UserError, match="it is no text"):
        read_hosts_file(str(path))


def test_local_workers_know_each_other_and_see_no_gpu():
    first, second = local_commands(["train"], 2)
    configs = [json.loads(c.environment["TF_CONFIG"]) for c in (first, second)]
    assert configs[0]["cluster"] == configs[1]["cluster"]
    assert [config["task"]["index"] for config in configs] == [0, 1]
    assert second.name == f"worker 1 ({configs[0]['cluster']['worker'][1]})"
    assert second.environment["CUDA_VISIBLE_DEVICES"] == ""


def test_addresses_differ():
    assert len(set(free_addresses(5))) == 5


def test_ssh_is_given_one_line_for_the_shell_of_the_host():
    argv = ["python", "-m", "tfcap", "train", "--workdir=it's here"]
    command = remote_commands(argv, HOSTS, "/a b")[1]
    assert command.argv[0] == "ssh" and command.argv[-2] == "me@b"
    words = shlex.split(command.argv[-1])
    assert words[:5] == ["cd", "/a b", "&&", "exec", "env"]
    name, _, value = words[5].partition("=")
    assert (name, json.loads(value)["task"]["index"]) == ("TF_CONFIG", 1)
    assert json.loads(value)["cluster"] == {"worker": ["a:2222", "b:2223"]}
    assert words[6:] == argv


def test_workers_run_on_their_hosts(fake_ssh, tmp_path, capsys):
    code = "import os; print(os.environ['LOGIN'], os.getcwd())"
    argv = guarded([sys.executable, "-c", code], 60, sys.executable)
    folder = tmp_path / "a directory"
    folder.mkdir()
    commands = remote_commands(argv, HOSTS, str(folder))
    assert Launcher(lambda: commands).run() == 0
    lines = sorted(capsys.readouterr().out.splitlines())
    assert lines == [f"[worker 0] a {folder}", f"[worker 1] me@b {folder}"]


def test_a_lost_connection_is_a_failure(fake_ssh, caplog):
    code = "import signal; signal.pause()"
    argv = guarded([sys.executable, "-c", code], 60, sys.executable)
    commands = remote_commands(argv, [HOSTS[0], Host("unknown", "unknown:1")], "/")
    assert Launcher(lambda: commands).run() == 255
    assert "worker 1 (unknown:1) was lost: its connection has ended" in caplog.text


def test_hosts_are_checked_before_anything_starts(fake_ssh, tmp_path, monkeypatch):
    check_hosts(HOSTS, sys.executable, os.getcwd())
    with pytest.raises(UserError, match=r"cannot reach unknown: .*resolve hostname"):
        check_hosts([Host("unknown", "unknown:1")], sys.executable, "/")
    with pytest.raises(UserError, match="a cannot run tfcap by python0 in /"):
        check_hosts(HOSTS, "python0", "/")
    with pytest.raises(UserError, match=r"a cannot run tfcap .*none"):
        check_hosts(HOSTS, sys.executable, str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="ssh is not installed"):
        check_hosts(HOSTS, sys.executable, "/")


def test_hosts_need_the_same_version(fake_ssh, tmp_path):
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho tfcap 0.0.1\n")
    other.chmod(0o755)
    message = f"a has 'tfcap 0.0.1', this machine 'tfcap {version('tfcap')}'; install"
    with pytest.raises(UserError, match=re.escape(message)):
        check_hosts(HOSTS, str(other), "/")


def test_a_host_that_does_not_answer_is_named(tmp_path, monkeypatch):
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("tfcap.training.distributed.hosts.CHECK_SECONDS", 0.1)
    with pytest.raises(UserError, match=r"a has not answered for 0\.1 s"):
        check_hosts(HOSTS, sys.executable, "/")
