import random
import string

import pytest
import tensorflow as tf

from records.tokenizer import Tokenizer, TokenizerSettings, word_graph

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
    settings = TokenizerSettings(
        kind="word", min_letters=min_letters, min_count=1, oov="unk"
    )
    return Tokenizer(settings)


@pytest.fixture(scope="module")
def by_letters():
    return {min_letters: tokenizer(min_letters) for min_letters in (1, 2, 3)}


@pytest.mark.parametrize(("caption", "words", "short"), EXAMPLES)
def test_examples(by_letters, caption, words, short):
    assert by_letters[1]([caption]) == [words.split()]
    longer = [word for word in words.split() if word not in short.split()]
    assert by_letters[2]([caption]) == [longer]


def test_letters_are_counted_not_bytes(by_letters):
    assert by_letters[3](["ö öl öle"]) == [["öle"]]


def test_a_batch_is_its_captions(by_letters):
    captions = [caption for caption, _, _ in EXAMPLES]
    assert by_letters[1](captions) == [words.split() for _, words, _ in EXAMPLES]
    assert by_letters[1]([]) == []


def test_inside_a_dataset():
    captions = [caption for caption, _, _ in EXAMPLES]
    dataset = tf.data.Dataset.from_tensor_slices(captions).batch(4)
    rows = [
        [word.decode() for word in row]
        for batch in dataset.map(word_graph(1))
        for row in batch.to_list()
    ]
    assert rows == tokenizer()(captions)


@pytest.mark.parametrize("character", string.punctuation)
def test_all_ascii_punctuation_is_deleted(by_letters, character):
    assert by_letters[1]([f"do{character}g {character} x{character}"]) == [["dog", "x"]]


def heaton(caption: str) -> list[str]:
    """What the notebook does, in plain Python."""
    table = str.maketrans("", "", string.punctuation)
    words = [word.translate(table) for word in caption.lower().split()]
    return [word for word in words if len(word) > 1 and word.isalpha()]


def test_min_letters_2_is_the_notebooks_rule(by_letters):
    draw = random.Random(0)
    signs = string.ascii_letters * 3 + string.digits + string.punctuation + " \t" * 10
    captions = ["".join(draw.choices(signs, k=40)) for _ in range(500)]
    assert by_letters[2](captions) == [heaton(caption) for caption in captions]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"min_letters": 0}, "min_letters"),
        ({"min_count": 0}, "min_count"),
        ({"min_count": "5"}, "min_count"),
        ({"oov": "keep"}, "oov"),
        ({"kind": "words"}, "kind"),
        ({"max_letters": 9}, "max_letters"),
    ],
)
def test_settings_are_strict(settings, field):
    right = {"kind": "word", "min_letters": 1, "min_count": 1, "oov": "unk"}
    with pytest.raises(ValueError, match=field):
        TokenizerSettings(**{**right, **settings})
