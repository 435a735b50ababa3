"""Scripts that are written without spaces."""

import pytest

from records.text.scripts import is_unspaced, unspaced_fraction, unspaced_words


@pytest.mark.parametrize(
    "text",
    ["一只狗", "犬が走る", "カタカナ", "ﾊﾝｶｸ", "สุนัข", "ໝາ", "ခွေး", "ឆ្កែ", "𠀋", "a 狗"],
)
def test_scripts_without_spaces(text):
    assert is_unspaced(text)


@pytest.mark.parametrize(
    "text",
    ["", "dog", "개가 달린다", "कुत्ता", "كلب", "собака", "ཁྱི་", "ውሻ", "שלום", "5 ฿ ๕"],
)
def test_scripts_with_spaces(text):
    assert not is_unspaced(text)


def test_words_and_letters_are_counted():
    assert unspaced_words({"狗": 3, "dog": 5, "the狗": 1}) == 4
    assert unspaced_fraction(["a 狗 2!", "cd"]) == 0.25
    assert unspaced_fraction(["", "2"]) == 0
