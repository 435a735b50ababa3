import hashlib

import pytest

from records.errors import UserError
from records.text.vocabulary import END, PAD, START, UNK, Vocabulary

COUNTS = {"dog": 5, "a": 9, "run": 5, "cat": 2, "über": 5, "bird": 1}


def vocabulary(keep_unknown=True, min_count=2) -> Vocabulary:
    return Vocabulary.from_counts(COUNTS, min_count, keep_unknown)


def test_order_is_by_falling_count_then_by_token():
    assert vocabulary().tokens == (
        *(PAD, START, END, UNK),
        *("a", "dog", "run", "über", "cat"),
    )


def test_order_does_not_depend_on_that_of_the_counts():
    backwards = dict(reversed(COUNTS.items()))
    assert Vocabulary.from_counts(backwards, 2, True).digest == vocabulary().digest


@pytest.mark.parametrize(
    ("min_count", "size"), [(1, 10), (2, 9), (5, 8), (9, 5), (10, 4)]
)
def test_words_counted_less_often_are_left_out(min_count, size):
    assert len(vocabulary(min_count=min_count)) == size


def test_unknown_words_become_unk():
    words = vocabulary()
    assert words.has_unknown
    assert words.encode(["a", "bird", "dog"]) == [1, 4, 3, 5, 2]
    assert words.decode([1, 4, 3, 5, 2, 0, 0]) == "a <unk> dog"


def test_unknown_words_are_dropped_and_ids_close_up():
    words = vocabulary(keep_unknown=False)
    assert not words.has_unknown
    assert words.tokens[3] == "a"
    assert words.encode(["a", "bird", "dog"]) == [1, 3, 4, 2]
    assert words.decode([1, 3, 4, 2]) == "a dog"


def test_a_caption_of_unknown_words_only():
    assert vocabulary().encode(["x", "y"]) == [1, 3, 3, 2]
    assert vocabulary(keep_unknown=False).encode(["x", "y"]) == [1, 2]
    assert vocabulary().decode([1, 2]) == ""


def test_decode_stops_at_end():
    assert vocabulary().decode([1, 4, 2, 5, 5]) == "a"
    assert vocabulary().decode([4, 5]) == "a dog"


def test_save_and_load(tmp_path):
    path = tmp_path / "vocabulary.txt"
    vocabulary().save(str(path))
    assert path.read_bytes() == (
        b"<pad>\n<start>\n<end>\n<unk>\na\ndog\nrun\n\xc3\xbcber\ncat\n"
    )
    loaded = Vocabulary.load(str(path))
    assert loaded.tokens == vocabulary().tokens
    assert loaded.digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("odd", ["\u2028", "\x85", "\x0b", " "])
def test_a_token_with_an_odd_character_stays_one_line(tmp_path, odd):
    words = Vocabulary([PAD, START, END, f"a{odd}b", "c"])
    words.save(str(tmp_path / "vocabulary.txt"))
    assert Vocabulary.load(str(tmp_path / "vocabulary.txt")).tokens == words.tokens


def test_the_digest_depends_on_every_token_and_their_order():
    tokens = vocabulary().tokens
    swapped = Vocabulary([*tokens[:4], tokens[5], tokens[4], *tokens[6:]])
    shorter = Vocabulary(tokens[:-1])
    assert len({vocabulary().digest, swapped.digest, shorter.digest}) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"begins with the lines <pad>, <start>, <end>; received \[''\]"),
        (b"<pad>\n<end>\n<start>\n", r"received \['<pad>', '<end>', '<start>'\]"),
        (b"<pad>\r\n<start>\r\n<end>\r\n", r"received \['<pad>\\r', "),
        (b"<pad>\n<start>\n<end>\na\nb\na\n", "holds the token 'a' twice"),
        (b"<pad>\n<start>\n<end>\n\xff\n", r"vocabulary\.txt is not UTF-8"),
    ],
)
def test_what_load_says_of_a_bad_file(tmp_path, content, message):
    path = tmp_path / "vocabulary.txt"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        Vocabulary.load(str(path))


def test_what_load_says_of_no_file(tmp_path):
    with pytest.raises(UserError, match=r"no vocabulary at .*/vocabulary\.txt"):
        Vocabulary.load(str(tmp_path / "vocabulary.txt"))
    with pytest.raises(UserError, match="cannot read"):
        Vocabulary.load(str(tmp_path))
