"""Settings of a tokenizer: strict, and those of its kind alone."""

import json

import pytest

from records.text.tokenizer_config import TokenizerSettings

WORD = {"kind": "word", "min_letters": 1, "min_count": 1, "oov": "unk"}
WORDPIECE = {"kind": "wordpiece", "vocabulary_size": 9, "min_count": 1, "oov": "drop"}
CHAR = {"kind": "char", "min_count": 1, "oov": "unk"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"min_letters": 0}, "min_letters"),
        ({"min_count": 0}, "min_count"),
        ({"min_count": "5"}, "min_count"),
        ({"oov": "keep"}, "oov"),
        ({"kind": "words"}, "kind"),
        ({"max_letters": 9}, "max_letters"),
    ],
)
def test_settings_are_strict(changes, field):
    with pytest.raises(ValueError, match=field):
        TokenizerSettings(**WORD | changes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (WORD | {"vocabulary_size": 9}, "vocabulary_size belongs to `kind: wordpiece`"),
        (CHAR | {"vocabulary_size": 9}, "`kind: char` has no such setting. Leave it"),
        (CHAR | {"min_letters": 2}, "min_letters belongs to `kind: word`"),
        (WORDPIECE | {"min_letters": 2}, "min_letters belongs to `kind: word`"),
        (WORDPIECE | {"vocabulary_size": None}, "`wordpiece` needs vocabulary_size"),
        (WORD | {"min_letters": None}, "`word` needs min_letters"),
    ],
)
def test_a_setting_of_another_kind_is_refused(given, message):
    with pytest.raises(ValueError, match=message.replace("`word", "`kind: word")):
        TokenizerSettings(**given)


@pytest.mark.parametrize("given", [WORD, WORDPIECE, CHAR])
def test_what_is_kept_is_what_belongs_to_the_kind(given):
    # Manifests written before there were other kinds than words are like the first.
    settings = TokenizerSettings.model_validate(given)
    assert settings.model_dump() == json.loads(settings.model_dump_json()) == given
