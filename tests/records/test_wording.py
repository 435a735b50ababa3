import pytest

from records.wording import as_text, counted, in_yaml, mebibytes, percent


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 photos"), (1, "1 photo"), (2000, "2,000 photos")]
)
def test_numbers_with_nouns(number, expected):
    assert counted(number, "photo") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a 'b'", "a 'b'"),
        (None, "none"),
        (True, "yes"),
        (False, "no"),
        (1, "1"),
        (0, "0"),
        (0.25, "0.25"),
        ([], "none"),
        (("a", "b"), "a, b"),
        ({"kind": "word", "oov": None}, "kind word, oov none"),
        ([{"a": 1, "b": [2, 3]}, {"a": 4}], "a 1, b 2, 3; a 4"),
    ],
)
def test_values_are_read_without_brackets(value, expected):
    assert as_text(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"),
        (False, "false"),
        (1e-3, "0.001"),
        ("imagenet", "'imagenet'"),
        (("a", None), '["a", null]'),
        ({"rate": 1}, '{"rate": 1}'),
        (["größe"], '["größe"]'),
    ],
)
def test_values_as_in_a_configuration(value, expected):
    assert in_yaml(value) == expected


def test_units():
    assert percent(0.636, (0.619, 0.652)) == "63.6 (61.9 to 65.2)"
    assert percent(0.1234) == "12.3" and mebibytes(3 << 30) == "3,072.0"
