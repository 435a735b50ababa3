"""Words as the Penn Treebank tokenizer makes them, without Java."""

import os
import random
import shutil
from pathlib import Path

import pytest
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from records.errors import UserError
from tfcap.metrics import ptb_tables
from tfcap.metrics.ptb_tokenizer import LINE_ENDS, tokenize

DATA = Path(os.environ.get("TFCAP_DATA", "TFCAP_DATA"))
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
    "A dog sat on it, no.": "a dog sat on it no",
    "at 12:30pm :) ;-)": "at 12:30 pm :-rrb- ;--rrb-",
    "salt &amp; pepper &lt;b&gt;": "salt & pepper < b >",
    "<br> <b>bold</b> a < b > c": "<br> <b> bold </b> a < b > c",
    "a 🐕 and 👨\u200d👩\u200d👧": "a and",
    "y'all c++ c# 3 1/2 ½ 3½": "y' all c++ c# 3\u00a01/2 1/2 3 1/2",
    "cafe\u0301 nai\u0308ve": "cafe\u0301 nai\u0308ve",
    "«chien» l'homme l’homme d'une": "chien l'homme l’homme d'une",
    "on Mon. or Sept. in Calif.": "on mon. or sept. in calif.",
    "कुत्ता दौड़ रहा है।": "कुत्ता दौड़ रहा है ।",
    "كَلْبٌ يَجْرِي، هنا": "كَلْبٌ يَجْرِي ، هنا",
    "犬が走る。一只狗": "犬が走る 。 一只狗",
    "собака бежит. ΣΚΎΛΟΣ": "собака бежит σκύλος",
    "soft\u00adhyphen \u00ad x": "softhyphen x",
    "me@x.org http://a.b/c?d=e #tag @home": "me@x.org http://a.b/c?d=e #tag @home",
    "(555) 123-4567 10/12/2013 £3 €4 5¢": (
        "-lrb-555-rrb-\u00a0123-4567 10/12/2013 # 3 $ 4 5 cents"
    ),
    "more'n d'ye whaddya 'tis": "more 'n d'ye whaddya 't is",
    "İstanbul \U0001d400": "i\u0307stanbul",
    "ΟΔΟΣ-Α ΟΔΟΣ Σ": "οδοσ-α οδος σ",
    "see a.com/b?c#d/\u00a0": "see a.com/b?c#d/",
    "...": "",
    "": "",
}


@pytest.mark.parametrize(("caption", "expected"), CAPTIONS.items())
def test_captions_by_hand(caption, expected):
    assert tokenize([caption, "the end"]) == ([expected, "the end"], True)


def test_a_full_stop_depends_on_how_the_next_caption_begins():
    captions = ["it is No.", "5 dogs", "it is No.", "a dog"]
    assert tokenize(captions).words == ["it is no.", "5 dogs", "it is no", "a dog"]


@pytest.mark.parametrize("end", "\r\v\f\u2028\u2029")
def test_line_ends_inside_captions_move_no_words(end):
    found = tokenize(["a dog", f"a cat{end}sits", "the end"])
    assert found == (["a dog", "a cat sits", "the end"], False)


def test_a_line_feed_is_a_space():
    assert tokenize(["a\ndog", "a cat"]) == (["a dog", "a cat"], True)


def test_no_captions():
    assert tokenize([]) == ([], True)


@pytest.fixture
def other_jar(tmp_path, monkeypatch):
    monkeypatch.setattr(ptb_tables, "JAR", (str(tmp_path / "other.jar"),))
    return tmp_path / "other.jar"


@pytest.mark.parametrize("content", [None, b"no archive"])
def test_a_jar_that_cannot_be_read(other_jar, content):
    if content:
        other_jar.write_bytes(content)
    with pytest.raises(UserError, match=r"other\.jar.*comes with pycocoevalcap"):
        ptb_tables.read_class()


def test_another_tokenizer_is_refused(monkeypatch):
    monkeypatch.setattr(ptb_tables, "SHA256", "0" * 64)
    with pytest.raises(UserError, match=r"not hold the tokenizer of CoreNLP 3\.4\.1"):
        ptb_tables.read_class()


# Each drawn as often as any other; joined with and without spaces.
TEXT = r"""
no. No. Nos. No.5 12:30pm a.m. p.m. U.S. U.K U.S.A. D.C. e.g. i.e. etc. Mr. Mrs. Dr. St.
Ave. Co. Inc. Corp. Ltd. vs. Ph.D. Mon. Tues. Jan. Sept. Calif. N.Y. Gen. Jr. III A.B.
:) ;-) :-( :D =) :'( >:( <3 ^_^ ¯\_(ツ)_/¯ &amp; &lt;b&gt; &quot; &apos; &nbsp; &#39;
&eacute; <br> <br/> <b>bold</b> <a href="x"> </a> <!-- < > <tag 🐕 👨‍👩‍👧 © ° ™ § ± µ ª
º • №5 x² H₂O y'all c++ C# 3 1/2 1/2 ½ 3½ 100°F 5'10" 6' 5lbs. 3oz. 4x4 3-wheeled 2nd
mp3 B2B F/A-18 A-1 é « » «chien» l'homme l’homme d'une qu'il aujourd'hui « dog » “ ” ‘ ’
„ ‚ ‹ › $5.00 US$ £3 €4 5¢ 50% #1 #tag @home me@x.org http://a.b/c?d=e www.x.com x.com
555-1234 (555) 123-4567 1-800-555-1234 10/12/2013 2013-01-02 10,000.50 .5 -5 +3 24/7 9-5
9–5 t-shirt mother-in-law and/or w/o a- -a a/b/c a_b a.b.c - -- --- ---- ... .... . . .
… — – " ' ` `` '' ( ) [ ] { } < > / \ | * ** ^ ~ = + _ & % ! ? ?! !!! , ; : :: can't
won't cannot gonna gotta wanna lemme 'tis 'twas d'ye more'n I'm he'd they've it's its'
dogs' 'em 'n' rock'n'roll o'clock O'Brien '90s 1990's s's 's 't n't 'd AT&T at&t R&B
Q&A don`t don´t it´s ALLCAPS McDonald's 犬が走る。 一只狗， 개가 कुत्ता है। কুকুর كَلْبٌ
يجري، שָׁלוֹם собака Собака. ΣΚΎΛΟΣ สุนัข ጥ ձագ՛ İstanbul ß ﬁ a b. The dog Man is on
"""
FRAGMENTS = TEXT.split()
FRAGMENTS += ["cafe\u0301", "soft\u00adhyphen", "\u00ad", "\u200b", "\u200d", "\ufeff"]
FRAGMENTS += [
    "ΟΔΟΣ-Α",
    "ΑΣ'",
    "http://a.b/c/\u00a0",
    "\u00a0",
    "\u3000",
    "\x85",
    "\U00010400",
    "\U0001d400",
]
BLOCKS = [(0x20, 0x7E), (0xA0, 0x17F), (0x2B0, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF)]
BLOCKS += [(0x530, 0x5FF), (0x600, 0x6FF), (0x900, 0x9FF), (0xB80, 0xBFF)]
BLOCKS += [(0xE00, 0xE7F), (0xF00, 0xFFF), (0x10A0, 0x139F), (0x1780, 0x17FF)]
BLOCKS += [(0x2000, 0x2BFF), (0x3000, 0x30FF), (0x4E00, 0x4FFF), (0xAC00, 0xACFF)]
BLOCKS += [(0xFB00, 0xFFEF), (0x10000, 0x100FF), (0x1F300, 0x1F64F), (0, 0x9F)]


def random_caption(draw: random.Random) -> str:
    parts = []
    for _ in range(draw.randint(1, 9)):
        part = draw.choice(FRAGMENTS)
        if draw.random() < 0.2:
            first, last = draw.choice(BLOCKS)
            part = "".join(chr(draw.randint(first, last)) for _ in range(5))
        parts.append(part + draw.choice(["", " ", " ", " "]))
    return LINE_ENDS.sub(" ", "".join(parts)).replace("\n", " ")


@pytest.mark.slow
@needs_java
def test_random_captions_are_the_same_as_in_java():
    draw = random.Random(0)
    check_all([*CAPTIONS, *(random_caption(draw) for _ in range(5000)), "the end"])


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.skipif(not FLICKR8K.exists(), reason=f"no {FLICKR8K}; set TFCAP_DATA")
@needs_java
def test_all_captions_of_flickr8k():
    lines = FLICKR8K.read_text("utf-8").splitlines()
    check_all([line.partition("\t")[2] for line in lines])


def check_all(captions: list[str]) -> None:
    """Fails unless the words are those of PTBTokenizer."""
    rows = {i: [{"caption": caption}] for i, caption in enumerate(captions)}
    in_java = [words for (words,) in PTBTokenizer().tokenize(rows).values()]
    found = tokenize(captions)
    assert found.exact
    assert len(in_java) == len(captions)
    for caption, ours, theirs in zip(captions, found.words, in_java):
        assert ours == theirs, ascii(caption)
