"""Captions to words, and for each kind of token to a vocabulary, ids and back."""

import random
import string

import pytest
import tensorflow as tf

from records.errors import UserError
from records.tokenizer import Tokenizer, word_graph
from records.tokenizer_settings import TokenizerSettings

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
    ("the dog\u2019s ball", "the ball", ""),  # only ASCII punctuation is deleted
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
        for batch in dataset.map(word_graph(1))
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


# Caption; what is left of it where digits and signs count, as the scores take it.
EVERY_WORD = [
    ("A dog's ball , 2 of them .", "a dogs ball 2 of them"),
    ("the dog\u2019s 2nd mp3 player", "the dog\u2019s 2nd mp3 player"),
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
    vocabulary = tokenizer.learn(COUNTS)
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
    expected = tokenizer.learn(COUNTS)
    for seed in range(3):
        order = random.Random(seed).sample(sorted(COUNTS.items()), len(COUNTS))
        assert tokenizer.learn(dict(order)).tokens == expected.tokens


# Of pieces single characters stay, however rare.
NOTHING = [(kind, {}) for kind in KINDS]
NOTHING += [(kind, {"dog": 1, "cat": 1}) for kind in ("word", "char")]


@pytest.mark.parametrize(("kind", "counts"), NOTHING)
def test_a_vocabulary_with_nothing_in_it_is_refused(kind, counts):
    message = f"the {len(counts)} distinct words .* 2 times .*tokenizer.min_count"
    with pytest.raises(UserError, match=message):
        Tokenizer(settings(kind, min_count=2)).learn(counts)
