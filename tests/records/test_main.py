import json
import os
import subprocess
import sys

import pytest

from records.__main__ import main
from records.format.manifest import FILE_NAME


@pytest.mark.parametrize("command", [[], ["inspect"], ["verify"]])
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([*command, "--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert "example: python -m records" in out


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["repair", "x"],
        ["inspect"],
        ["verify", "x", "--limit", "1"],
        ["inspect", "x", "--limit", "-1"],
        ["inspect", "x", "--limit", "all"],
        ["inspect", "x", "--lim", "1"],
    ],
)
def test_wrong_usage(argv, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "usage: python -m records" in err


def test_usage_does_not_wait_for_tensorflow():
    code = "import sys, records.__main__; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_as_a_process_stdout_is_json_and_stderr_is_silent(record_set):
    command = [sys.executable, "-m", "records", "verify", str(record_set), "--json"]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.stderr == ""
    assert json.loads(process.stdout)["whole"] is True
    assert process.returncode == 0


def newer(path):
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 2}))


def with_an_unknown_key(path):
    path.write_text(json.dumps({**json.loads(path.read_text()), "colour": 1}))


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize("command", ["inspect", "verify"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (newer, "was written by a newer tfcap (format 2, this one reads 1): install"),
        (
            with_an_unknown_key,
            "is damaged or was edited, for its checksum does not fit",
        ),
        (cut_short, "is damaged: not JSON"),
    ],
)
def test_another_manifest_is_one_sentence(record_set, command, change, message, capsys):
    path = record_set / FILE_NAME
    change(path)
    assert main([command, str(record_set)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {path} {message}")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "name",
    [
        "dataset.json",
        "vocabulary.txt",
        "rejects.jsonl",
        "train-00000-of-00003.tfrecord",
    ],
)
@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_a_pipe_in_a_record_set_keeps_no_command_waiting(
    record_set, tmp_path, capsys, command, name
):
    (record_set / name).unlink()
    os.mkfifo(record_set / name)
    page = ["--html", str(tmp_path / "page.html")] if command == "inspect" else []
    assert main([command, str(record_set), *page]) == 1
    out, err = capsys.readouterr()
    assert name in out + err and "Traceback" not in err
    assert "a pipe" in out + err or "missing" in out + err


def test_a_page_at_a_place_that_is_not_utf8(record_set, tmp_path, capsys):
    place = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.html")
    photos = os.fsdecode(os.fsencode(tmp_path) + b"/photos\xe9")
    os.mkdir(photos)
    argv = ["inspect", str(record_set), "--photos", photos, "--html", place]
    assert main(argv) == 0
    assert "caf\\udce9.html" in capsys.readouterr().out
    assert main([*argv, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["page"] == place


@pytest.mark.parametrize("command", ["inspect", "verify"])
def test_records_at_a_place_that_is_not_utf8_are_refused(
    record_set, tmp_path, capsys, command
):
    moved = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    os.rename(record_set, moved)
    assert main([command, moved]) == 1
    assert "caf\\udce9: the path is not UTF-8" in capsys.readouterr().err
