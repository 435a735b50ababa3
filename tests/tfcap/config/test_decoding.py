"""The section `decoding`."""

import re

import pytest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{consensus: {regression: {widht: 1}}}", "did you mean 'width'"),
        ("{sampling: {}, with_words: [dog]}", "`with_words` needs a search"),
        ("{consensus: {}, beam_width: 2}", "beam_width .2. must be 3 or more"),
        ("{min_length: 9, max_length: 8}", "min_length .9. is above max_length"),
    ],
)
def test_wrong_decoding_is_explained(refused, text, message):
    assert re.search(message, refused(f"decoding: {text}"))
