"""Captions to words, and for each kind of token to a vocabulary, ids and back."""

import random
import string
import unicodedata

import pytest
import tensorflow as tf

from records.errors import UserError
from records.text.tokenizer import Tokenizer, why_dropped, word_graph
from records.text.tokenizer_config import TokenizerSettings

# Caption; its words with min_letters 1; those of them that min_letters 2 drops.
EXAMPLES = [
    ("A dog runs .", "a dog runs", "a"),
    ("A dog's ball , 2 of them .", "a dogs ball of them", "a"),
    ("The girls' toys aren't theirs", "the girls toys arent theirs", ""),
    ("a boy in a t-shirt", "a boy in a tshirt", "a"),
    ("a man - with a dog -", "a man with a dog", "a"),
    ("3 men , 2nd mp3 player", "men player", ""),
    ("it 's 5 o'clock", "it s oclock", "s"),
    ('He says " I am x " !', "he says i am x", "i x"),
    ("e.g. a #tag, snake_case & more...", "eg a tag snakecase more", "a"),
    ("  several \t kinds\nof   space ", "several kinds of space", ""),
    ("Ein Café in der Straße", "ein café in der straße", ""),
    ("ÉCOLE Öl", "école öl", ""),
    ("собака и 犬", "собака и 犬", "и 犬"),
    ("CAFE\u0301", "café", ""),  # an accent of its own joins its letter
    ("\uff24\uff2f\uff27 \ufb01re", "dog fire", ""),  # full width, a ligature
    ("dog\u00a0cat", "dog cat", ""),  # a space that does not break
    ("the dog\u2019s ball", "the dogs ball", ""),  # as the ASCII apostrophe
    ("\u201cgreen\u201d runs\u2014fast", "green runs fast", ""),
    ("«chien» ¿Dónde estás? l\u2019homme", "chien dónde estás lhomme", ""),
    ("wait\u2026what\uff0cyes", "wait what yes", ""),  # NFKC would make it ... and ,
    ("man\u00b4s man\u02bcs man`s", "mans mans mans", ""),
    ("co\u0140laborar col\u00b7laborar", "col laborar col laborar", ""),
    ("İstanbul", "i\u0307stanbul", ""),
    ("एक काला कुत्ता घास पर दौड़ता है।", "एक काला कुत्ता घास पर दौड़ता है", "है"),
    ("একটি কুকুর মাঠে দৌড়ায়।", "একটি কুকুর মাঠে দৌড়ায়", ""),
    ("كَلْبٌ يَجْرِي، هُنَا", "كَلْبٌ يَجْرِي هُنَا", ""),
    ("ինչպե՞ս ես", "ինչպես ես", ""),  # the mark stands inside the word
    ("สุนัขวิ่ง", "สุนัขวิ่ง", ""),
    ("dog\u2028cat\u0085cow\u1680hen\u2029", "dog cat cow hen", ""),
    ("a 🐶 dog", "a dog", "a"),
    ("... 1 2 !", "", ""),
    ("", "", ""),
]


def tokenizer(min_letters=1) -> Tokenizer:
    return Tokenizer(settings("word", min_letters=min_letters))


@pytest.fixture(scope="module")
def by_letters():
    return {min_letters: tokenizer(min_letters) for min_letters in (1, 2, 3)}


@pytest.mark.parametrize(("caption", "words", "short"), EXAMPLES)
def test_examples(by_letters, caption, words, short):
    assert by_letters[1].words([caption]) == [words.split()]
    longer = [word for word in words.split() if word not in short.split()]
    assert by_letters[2].words([caption]) == [longer]


def test_letters_are_counted_not_bytes(by_letters):
    assert by_letters[3].words(["ö öl öle"]) == [["öle"]]


def test_a_batch_is_its_captions(by_letters):
    captions = [caption for caption, _, _ in EXAMPLES]
    assert by_letters[1].words(captions) == [words.split() for _, words, _ in EXAMPLES]
    assert by_letters[1].words([]) == []


def test_inside_a_dataset():
    captions = [caption for caption, _, _ in EXAMPLES]
    dataset = tf.data.Dataset.from_tensor_slices(captions).batch(4)
    rows = [
        [word.decode() for word in row]
        for batch in dataset.map(lambda batch: word_graph(1)(batch)[0])
        for row in batch.to_list()
    ]
    assert rows == tokenizer().words(captions)


@pytest.mark.parametrize("character", string.punctuation)
def test_all_ascii_punctuation_is_deleted(by_letters, character):
    assert by_letters[1].words([f"do{character}g {character} x{character}"]) == [
        ["dog", "x"]
    ]


def heaton(caption: str) -> list[str]:
    """What the notebook does, in plain Python."""
    table = str.maketrans("", "", string.punctuation)
    words = [word.translate(table) for word in caption.lower().split()]
    return [word for word in words if len(word) > 1 and word.isalpha()]


def test_min_letters_2_is_the_notebooks_rule(by_letters):
    draw = random.Random(0)
    signs = string.ascii_letters * 3 + string.digits + string.punctuation + " \t" * 10
    captions = ["".join(draw.choices(signs, k=40)) for _ in range(500)]
    assert by_letters[2].words(captions) == [heaton(caption) for caption in captions]


# Unicode's Quotation_Mark (PropList.txt), and what stands for an apostrophe.
QUOTES = {
    *map(chr, [0xAB, 0xBB, *range(0x2018, 0x2020), 0x2039, 0x203A, 0x2E42]),
    *map(chr, [*range(0x300C, 0x3010), *range(0x301D, 0x3020), *range(0xFE41, 0xFE45)]),
    *map(chr, [0xFF02, 0xFF07, 0xFF62, 0xFF63]),
    *map(chr, [0xB4, 0x2BB, 0x2BC, 0x2BD, *range(0x2032, 0x2038), 0xFF40]),
    *map(chr, [0x55A, 0x55B, 0x55C, 0x55E, 0x5F3, 0x5F4]),
}
WHITE_SPACE = [9, 10, 11, 12, 13, 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)]
WHITE_SPACE = [*map(chr, [*WHITE_SPACE, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000])]


def category(character: str) -> str:
    return unicodedata.category(character)


def separated(text: str) -> str:
    """With a space for all punctuation but ASCII's."""
    return "".join(
        " " if category(c)[0] == "P" and not c.isascii() else c for c in text
    )


def plain_words(caption: str) -> tuple[list[str], list[str]]:
    """Words kept and dropped (min_letters 2), in plain Python."""
    shown = "".join(
        c
        for c in caption
        if c in WHITE_SPACE or (category(c) not in ("Cc", "Cf") and c not in QUOTES)
    )
    text = unicodedata.normalize("NFKC", separated(shown)).lower()
    text = "".join(" " if c in WHITE_SPACE else c for c in separated(text))
    words = text.translate(str.maketrans("", "", string.punctuation)).split(" ")
    kept, dropped = [], []
    for word in filter(None, words):
        kinds = [category(character)[0] for character in word]
        whole = set(kinds) <= {"L", "M"} and kinds.count("L") >= 2
        (kept if whole else dropped).append(word)
    return kept, dropped


def assigned(first: int, last: int) -> list[str]:
    """Characters of a block that have long been assigned: in Unicode 3.2 as well.

    Python, RE2 and ICU each bring a version of Unicode.
    """
    old = unicodedata.ucd_3_2_0
    characters = map(chr, range(first, last + 1))
    return [c for c in characters if category(c) == old.category(c) not in ("Cn", "Cs")]


SCRIPTS = {
    "Latin": assigned(0x20, 0x24F),
    "modifiers and accents": assigned(0x2B0, 0x36F),
    "Greek": assigned(0x370, 0x3FF),
    "Cyrillic": assigned(0x400, 0x4FF),
    "Armenian": assigned(0x530, 0x58F),
    "Hebrew": assigned(0x590, 0x5FF),
    "Arabic": assigned(0x600, 0x6FF),
    "Devanagari": assigned(0x900, 0x97F),
    "Bengali": assigned(0x980, 0x9FF),
    "Tamil": assigned(0xB80, 0xBFF),
    "Thai": assigned(0xE00, 0xE7F),
    "Tibetan": assigned(0xF00, 0xFFF),
    "Georgian": assigned(0x10D0, 0x10FF),
    "Ethiopic": assigned(0x1200, 0x137F),
    "Khmer": assigned(0x1780, 0x17FF),
    "punctuation": assigned(0x2000, 0x206F),
    "symbols": assigned(0x20A0, 0x2BFF),
    "CJK punctuation and Kana": assigned(0x3000, 0x30FF),
    "Han": assigned(0x4E00, 0x4FFF),
    "Hangul": assigned(0xAC00, 0xACFF),
    "full width": assigned(0xFE30, 0xFFEF),
    "emoji": assigned(0x1F300, 0x1F64F),
}


def test_every_white_space_separates_and_all_punctuation_goes(by_letters):
    every = map(chr, range(0x80, 0x30000))
    signs = [
        c for c in every if category(c)[0] == "P" and c in assigned(ord(c), ord(c))
    ]
    assert len(signs) > 90
    captions = [f"dog{c}cat é{c} {c}का" for c in [*WHITE_SPACE, *signs, *QUOTES]]
    found = by_letters[2].split(captions)
    assert [*zip(found.kept, found.dropped)] == [
        plain_words(caption) for caption in captions
    ]
    for white, words in zip(WHITE_SPACE, found.kept):
        assert words == ["dog", "cat"], f"U+{ord(white):04X}"


def test_random_strings_of_many_scripts(by_letters):
    draw, captions = random.Random(0), []
    for _ in range(10_000):
        letters = [c for name in draw.sample([*SCRIPTS], 2) for c in SCRIPTS[name]]
        signs = [*letters, *" " * (len(letters) // 6), *string.punctuation]
        captions.append("".join(draw.choices(signs, k=30)))
    found = by_letters[2].split(captions)
    for caption, *both in zip(captions, found.kept, found.dropped):
        assert tuple(both) == plain_words(caption), ascii(caption)
    assert found.total == sum(map(len, [*found.kept, *found.dropped]))


def test_what_is_dropped_has_a_reason(by_letters):
    kept, dropped, _ = by_letters[2].split(["A dog, 2nd c€t 🐕 ½ é कि ᚠ2"])
    assert kept == [["dog"]]
    reasons = {word: why_dropped(word) for word in dropped[0]}
    assert reasons == {
        **{"a": "too_short", "é": "too_short", "कि": "too_short"},
        **{"2nd": "digit", "1\u20442": "digit", "ᚠ2": "digit"},
        **{"c€t": "symbol", "🐕": "symbol"},
    }


# Caption; what is left of it where digits and signs count, as the scores take it.
EVERY_WORD = [
    ("A dog's ball , 2 of them .", "a dogs ball 2 of them"),
    ("the dog\u2019s 2nd mp3 player", "the dogs 2nd mp3 player"),
    ("a 🐶 dog & ½ cat", "a 🐶 dog 1\u20442 cat"),
    ("a\u200bb \ufeff \tc\x00d", "ab cd"),  # characters that show nothing
    ("! ? .", ""),
]


@pytest.mark.parametrize("kind", ["wordpiece", "char"])
@pytest.mark.parametrize(("caption", "words"), EVERY_WORD)
def test_pieces_and_characters_are_of_every_word(kind, caption, words):
    assert Tokenizer(settings(kind)).words([caption]) == [words.split()]


def settings(kind, **changes) -> TokenizerSettings:
    own = {"word": {"min_letters": 1}, "wordpiece": {"vocabulary_size": 60}}
    given = {"kind": kind, "min_count": 1, "oov": "unk", **own.get(kind, {}), **changes}
    return TokenizerSettings(**given)


COUNTS = {"dog": 9, "dogs": 7, "cats": 6, "cat": 3, "toads": 2, "größe": 2}
KINDS = ("word", "wordpiece", "char")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("oov", ["unk", "drop"])
def test_captions_come_back_from_their_ids(kind, oov):
    tokenizer = Tokenizer(settings(kind, oov=oov))
    vocabulary = tokenizer.build_vocabulary(COUNTS)
    captions = ["dogs cats größe", "toads", "cat dog cat"]
    rows = tokenizer.tokens([caption.split() for caption in captions], vocabulary)
    texts = tokenizer.texts(vocabulary)
    for caption, row in zip(captions, rows, strict=True):
        ids = vocabulary.encode(row)
        assert len(ids) == len(row) + 2  # none unknown
        assert "".join(texts[i] for i in ids).strip() == caption
    assert vocabulary.has_unknown == (oov == "unk")


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_counts_does_not_matter(kind):
    tokenizer = Tokenizer(settings(kind))
    expected = tokenizer.build_vocabulary(COUNTS)
    for seed in range(3):
        order = random.Random(seed).sample(sorted(COUNTS.items()), len(COUNTS))
        assert tokenizer.build_vocabulary(dict(order)).tokens == expected.tokens


# Of pieces single characters stay, however rare.
NOTHING = [(kind, {}) for kind in KINDS]
NOTHING += [(kind, {"dog": 1, "cat": 1}) for kind in ("word", "char")]


@pytest.mark.parametrize(("kind", "counts"), NOTHING)
def test_a_vocabulary_with_nothing_in_it_is_refused(kind, counts):
    message = f"the {len(counts)} distinct words .* 2 times .*tokenizer.min_count"
    with pytest.raises(UserError, match=message):
        Tokenizer(settings(kind, min_count=2)).build_vocabulary(counts)
