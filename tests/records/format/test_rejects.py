import json

import pytest

from records.errors import UserError
from records.format.rejects import FILE_NAME, Reject, count_rejects, format_line

LINE = {"what": "photo", "where": "a.jpg", "reason": "x", "detail": "", "captions": 2}


def test_counts_by_reason(record_set):
    photos, captions = count_rejects(str(record_set))
    assert +photos == {"photo_missing": 1, "in_no_split": 1}
    assert captions == {"photo_missing": 5, "in_no_split": 2, "no_word_left": 1}


def test_an_empty_file_rejects_nothing(tmp_path):
    (tmp_path / FILE_NAME).write_text("")
    assert count_rejects(str(tmp_path)) == ({}, {})


def test_a_line_may_hold_any_character(tmp_path):
    line = json.dumps({**LINE, "detail": "a\u2028b\x85"}, ensure_ascii=False)
    (tmp_path / FILE_NAME).write_text(line + "\n", encoding="utf-8")
    assert count_rejects(str(tmp_path)) == ({"x": 1}, {"x": 2})


@pytest.mark.parametrize("character", ["x", "\x00", "犬", "🐕", "\udce9"])
def test_a_long_text_can_be_read_back(tmp_path, character):
    long = character * (1 << 20)
    line = format_line(Reject("caption", long, "no_word_left", long, 1))
    (tmp_path / FILE_NAME).write_text(line, encoding="utf-8")
    assert +count_rejects(str(tmp_path))[1] == {"no_word_left": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "Invalid JSON"),
        ("", "Invalid JSON"),
        ("[]", "Input should be an object"),
        (json.dumps([*LINE.values()]), "Input should be an object"),
        (
            json.dumps({**LINE, "captions": "2"}),
            "captions: Input should be a",
        ),
        (json.dumps({**LINE, "what": "dog"}), "what: Input should be 'photo' or"),
        (json.dumps({**LINE, "captions": -1}), "captions: Input should be greater"),
        (json.dumps({**LINE, "more": 1}), "unknown key 'more'"),
        (json.dumps({"what": "photo"}), "where: Field required"),
    ],
)
def test_what_is_said_of_a_damaged_line(tmp_path, line, message):
    (tmp_path / FILE_NAME).write_text(json.dumps(LINE) + "\n" + line + "\n")
    with pytest.raises(UserError, match=rf"rejects\.jsonl:2 is damaged: .*{message}"):
        count_rejects(str(tmp_path))


def test_what_is_said_of_no_file(tmp_path):
    with pytest.raises(UserError, match=r"rejects\.jsonl is missing"):
        count_rejects(str(tmp_path))
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(UserError, match=r"cannot read .*rejects\.jsonl: "):
        count_rejects(str(tmp_path))
