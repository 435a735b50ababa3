"""The sections `tokenizer` and `records`."""

import re

import pytest

from tfcap.config.loading import load_config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", {"kind": "word", "min_letters": 1, "min_count": 5, "oov": "unk"}),
        ("{min_count: 2}", {"kind": "word", "min_letters": 1, "min_count": 2}),
        ("{kind: wordpiece}", {"vocabulary_size": 4000, "min_count": 2}),
        ("{kind: wordpiece, vocabulary_size: 99}", {"vocabulary_size": 99}),
        ("{kind: char, oov: drop}", {"min_count": 5, "oov": "drop"}),
    ],
)
def test_a_tokenizer_has_the_defaults_of_its_kind(write, text, expected):
    tokenizer = load_config(write(f"tokenizer: {text}")).tokenizer
    assert expected.items() <= tokenizer.model_dump().items()


@pytest.mark.parametrize("overrides", [[], ["tokenizer.min_letters=null"]])
def test_another_kind_switches_off_the_keys_of_the_first(write, overrides):
    path = write("tokenizer: {kind: word, min_letters: 2, min_count: 10}")
    tokenizer = load_config(path, ["tokenizer.kind=char", *overrides]).tokenizer
    assert tokenizer.model_dump() == {"kind": "char", "min_count": 10, "oov": "unk"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{kind: wordpiece, min_letters: 2}",
            "min_letters belongs to `kind: word`; `kind: wordpiece` has no such",
        ),
        ("{vocabulary_size: 9}", "belongs to `kind: wordpiece`; `kind: w"),
        ("{kind: bpe}", "tokenizer.kind: .*'char'; received 'bpe'"),
        ("{kind: [char]}", "tokenizer.kind: .*received"),
        ("{kind: char, xyz: null}", "unknown key 'tokenizer.xyz'; valid: k"),
        ("char", "tokenizer: Input should be an object; received 'char'"),
    ],
)
def test_a_wrong_tokenizer_is_explained(refused, text, message):
    assert re.search(message, refused(f"tokenizer: {text}"))


def test_a_shard_holds_a_photo_at_least(refused):
    message = "records.photos_per_shard: .* 1; received 0"
    assert re.search(message, refused("records: {photos_per_shard: 0}"))
