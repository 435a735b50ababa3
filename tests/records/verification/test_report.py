"""What `verify` prints, and its exit code."""

import dataclasses
import json
import os
import re

from records.__main__ import main

TRAIN = [f"train-0000{i}-of-00003.tfrecord" for i in range(3)]
DEV = [f"dev-0000{i}-of-00002.tfrecord" for i in range(2)]


def test_what_is_printed_of_a_whole_set(record_set, capsys):
    assert main(["verify", str(record_set)]) == 0
    out, err = capsys.readouterr()
    assert out.endswith("whole: 17 photos, 33 captions in 5 shards\n")
    assert re.search(r"train\W+12\W+24\W+3", out)
    assert err == ""


def test_what_is_printed_of_a_damaged_set(record_set, capsys):
    (record_set / TRAIN[0]).unlink()
    (record_set / DEV[1]).unlink()
    assert main(["verify", str(record_set)]) == 1
    out, _ = capsys.readouterr()
    assert out.endswith(f"damaged: 2 problems in 2 files of {record_set}\n")
    assert TRAIN[0] in out and DEV[1] in out and "whole" not in out


def test_many_problems_of_a_file_do_not_hide_those_of_another(make_record_set, capsys):
    def rearrange(arranged):
        changes = {"captions": ("a",) * 60, "ids": ((1, 99, 2),) * 60}
        arranged["dev"][0][0] = dataclasses.replace(arranged["dev"][0][0], **changes)

    directory = str(make_record_set(rearrange=rearrange))
    os.remove(os.path.join(directory, "rejects.jsonl"))
    assert main(["verify", directory]) == 1
    out = capsys.readouterr().out
    assert "│ rejects.jsonl" in out
    assert "... and 54 more; --json lists them all" in out
    assert f"damaged: 61 problems in 2 files of {directory}" in out
    assert main(["verify", directory, "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["problems"]) == 61


def test_json(record_set, capsys):
    assert main(["verify", str(record_set), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "directory": str(record_set),
        "whole": True,
        "photos": 17,
        "captions": 33,
        "shards": 5,
        "sample": None,
        "problems": [],
    }


def test_json_of_a_damaged_set(record_set, capsys):
    (record_set / DEV[1]).unlink()
    assert main(["verify", str(record_set), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["whole"] is False
    assert found["problems"] == [
        {"file": DEV[1], "record": None, "what": "missing; the manifest lists it"}
    ]
