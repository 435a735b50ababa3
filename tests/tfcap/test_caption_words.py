"""Words as the Penn Treebank tokenizer makes them, without Java."""

import os
import shutil
from pathlib import Path

import pytest
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from tfcap.caption_words import caption_words

DATA = Path(os.environ.get("TFCAP_DATA", Path(__file__).parents[3] / "shared" / "data"))
FLICKR8K = DATA / "flickr8k" / "text" / "Flickr8k.token.txt"
needs_java = pytest.mark.skipif(not shutil.which("java"), reason="there is no java")
# What PTBTokenizer 3.4.1 makes of each, punctuation dropped.
CAPTIONS = {
    "A man's dog isn't here, they're not, we've gone": (
        "a man 's dog is n't here they 're not we 've gone"
    ),
    "a boy 's face ; someone ' s hat": "a boy 's face someone s hat",
    "I'm he'd can't cannot gonna wanna gotta": (
        "i 'm he 'd ca n't can not gon na wan na got ta"
    ),
    "A T-shirt, a tug-of-war and a 3-wheeled man/woman": (
        "a t-shirt a tug-of-war and a 3-wheeled man/woman"
    ),
    "number 7, 3.5, 1,234.50 , .5 or 10:30 a.m. in the U.S.": (
        "number 7 3.5 1,234.50 .5 or 10:30 a.m. in the u.s."
    ),
    'a sign ( red ) says " No Diving . "': "a sign -lrb- red -rrb- says no diving",
    "AT&T and at&t cost $5 or 50% , #1 # 2": (
        "at&t and at & t cost $ 5 or 50 % # 1 # 2"
    ),
    "rock 'n' roll, rock 'n roll, o'clock, the '90s": (
        "rock 'n' roll rock 'n roll o'clock the '90s"
    ),
    "Mr. Smith at Miami U. and the letter P. -- end...": (
        "mr. smith at miami u. and the letter p. end"
    ),
    "  a  dog\tcat?!  Yes ! Ok ?": "a dog cat ?! yes ok",
    "caf\u00e9 na\u00efve \u2013 \u201ccurly\u201d it\u2019s \u2026": (
        "caf\u00e9 na\u00efve curly it 's"
    ),
    "...": "",
    "": "",
}


@pytest.mark.parametrize(("caption", "expected"), CAPTIONS.items())
def test_captions_by_hand(caption, expected):
    assert " ".join(caption_words(caption)) == expected


@pytest.mark.slow
@needs_java
def test_the_same_as_in_java():
    check_all([caption for caption in CAPTIONS if caption])


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not FLICKR8K.exists(), reason=f"no {FLICKR8K}; set TFCAP_DATA")
@needs_java
def test_all_captions_of_flickr8k():
    lines = FLICKR8K.read_text("utf-8").splitlines()
    check_all([line.partition("\t")[2] for line in lines])


def check_all(captions: list[str]) -> None:
    """Fails unless the words are those of PTBTokenizer, for which there is no ""."""
    rows = {i: [{"caption": caption}] for i, caption in enumerate(captions)}
    in_java = PTBTokenizer().tokenize(rows)
    for i, caption in enumerate(captions):
        assert caption_words(caption) == in_java[i][0].split(), caption
