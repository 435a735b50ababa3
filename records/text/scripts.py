"""Scripts that are written without spaces between words."""

import re
from collections.abc import Iterable, Mapping

# Chinese, Japanese, Thai, Lao, Burmese, Khmer and related scripts, as blocks of
# Unicode 15.
# Tibetan and Ethiopic have marks between syllables or words, Korean has spaces.
UNSPACED = re.compile(
    "[\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u0edc-\u0edf"  # Thai, Lao
    "\u1000-\u103f\u1050-\u108f\ua9e0-\ua9ef\uaa60-\uaa7f"  # Burmese
    "\u1780-\u17d3\u1950-\u19df\u1a20-\u1aad\uaa80-\uaadf"  # Khmer, Tai
    "\u3005-\u3007\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"  # Han
)


def is_unspaced(text: str) -> bool:
    """Returns True if a text holds a character of a script without spaces.

    >>> is_unspaced("一只狗"), is_unspaced("개 한 마리")
    (True, False)
    """
    return UNSPACED.search(text) is not None


def unspaced_words(counts: Mapping[str, int]) -> int:
    """Counts the words in scripts without spaces.

    Args:
        counts: word -> number of occurrences.
    """
    return sum(count for word, count in counts.items() if is_unspaced(word))


def unspaced_fraction(texts: Iterable[str]) -> float:
    """Returns the fraction of letters, over all texts, in scripts without spaces."""
    letters = unspaced = 0
    for text in texts:
        letters += sum(map(str.isalpha, text))
        unspaced += sum(c.isalpha() for c in UNSPACED.findall(text))
    return unspaced / max(1, letters)
