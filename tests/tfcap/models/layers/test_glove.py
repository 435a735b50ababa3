"""Word vectors from a GloVe file."""

import gzip
import io
import itertools
import zipfile

import numpy as np
import pytest

from records.errors import UserError
from records.text.vocabulary import Vocabulary
from tfcap.models.layers.glove import load_glove

WORDS = Vocabulary(["<pad>", "<start>", "<end>", "<unk>", "a", "dog", "runs"])


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "glove.2d.txt"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_vectors_of_the_words_found(write, caplog):
    caplog.set_level("INFO")
    path = write("the 9 9\ndog 1 2\na -1 .5\ndog 8 8\n")
    table = load_glove(path, WORDS, 2, seed=0)
    assert table.shape == (7, 2) and table.dtype == np.float32
    assert table[4].tolist() == [-1, 0.5]
    assert table[5].tolist() == [1, 2]  # the first of two
    assert table[0].tolist() == [0, 0]
    assert table[6].any()  # drawn
    assert caplog.messages == [f"GloVe: 2 of 3 words found in {path}"]


def test_what_is_drawn_is_a_function_of_the_seed(write):
    path = write("dog 1 2\na 3 4\n")
    first, again = load_glove(path, WORDS, 2, 1), load_glove(path, WORDS, 2, 1)
    np.testing.assert_array_equal(first, again)
    assert (first[6] != load_glove(path, WORDS, 2, 2)[6]).any()


def test_words_are_not_taken_for_special_tokens(write):
    table = load_glove(write("<unk> 1 1\ndog 1 2\n"), WORDS, 2, 0)
    assert table[3].tolist() != [1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dog 1 2 3\n", ":1: 3 numbers, but model.embedding_units is 2"),
        ("the 1 2\ndog one 2\n", ":2: not a word and numbers"),
        ("the 1 2\n", "has none of the 3 words"),
        ("the 1 2\ndog nan 2\n", ":2: the vector has nan, or an infinite"),
        ("dog 1 inf\n", ":1: the vector has nan, or an infinite"),
        ("the 1 2\ndog\n", ":2: 0 numbers, but model.embedding_units is 2"),
    ],
)
def test_bad_files(write, text, message):
    with pytest.raises(UserError, match=message):
        load_glove(write(text), WORDS, 2, 0)


def test_a_missing_file_says_where_to_get_it():
    with pytest.raises(UserError, match=r"cannot read nowhere.*nlp.stanford.edu"):
        load_glove("nowhere", WORDS, 2, 0)


VECTORS = b"the 9 9\ndog 1 2\na -1 .5\n"


def packed(members: dict[str, bytes], kind: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def marked(offset: int, value: int) -> bytes:
    """A zip with a byte of its member's entry in the directory changed."""
    content = bytearray(packed({"a.txt": VECTORS}))
    content[content.index(b"PK\x01\x02") + offset] = value
    return bytes(content)


def harmed(kind: int) -> bytes:
    """A packed zip with zeros in the middle of its only member."""
    lines = b"".join(b"%d %d %d\n" % (i, i * 7919, i * 104729) for i in range(999))
    content = bytearray(packed({"a.txt": lines}, kind))
    content[2000:2100] = bytes(100)
    return bytes(content)


FORMS = {
    "tabs": VECTORS.replace(b" ", b"\t"),
    "spaces at the ends": VECTORS.replace(b"\n", b" \r\n"),
    "a byte-order mark": b"\xef\xbb\xbfdog 1 2\na -1 .5\n",
    "word2vec's header": b"3 2\n" + VECTORS,
    "tokens with spaces": b"a thing 1 2\ndog at x 3 4\n" + VECTORS,
    "gzip": gzip.compress(VECTORS),
    "a token of a space of another kind": "\u00a0 1 7\n\x85 1 8\n".encode() + VECTORS,
    "zip of macOS": packed({"d/a.2D.TXT": VECTORS, "__MACOSX/d/._a.2D.TXT": b""}),
    "zip": packed({"vectors.txt": VECTORS, "readme.md": b""}),
    "zip of several": packed({"glove.2d.txt": VECTORS, "glove.50d.txt": b"dog 1\n"}),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_the_file(tmp_path, form):
    (tmp_path / "file").write_bytes(FORMS[form])
    table = load_glove(str(tmp_path / "file"), WORDS, 2, seed=0)
    assert table[4:6].tolist() == [[-1, 0.5], [1, 2]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(VECTORS * 99)[:-9], r"cannot read .*\(Compressed file ended"),
        (b"\x1f\x8bnonsense" * 9, "cannot read "),
        (b"PKnonsense", r"cannot read .*\(File is not a zip file"),
        (
            packed({"a.txt": b"", "b.txt": b""}),
            r"holds a.txt, b.txt; expected .* \*\.2d\.txt",
        ),
        (packed({"a.md": b""}), "holds no text file; expected one"),
        (gzip.compress(bytes(1 << 22)), r":1 is longer than 1,048,576 bytes"),
        (marked(8, 1), r"cannot read .*is encrypted, password required"),
        (harmed(zipfile.ZIP_DEFLATED), r"cannot read .*; get glove"),
        (harmed(zipfile.ZIP_BZIP2), r"cannot read .*\(Invalid data stream\)"),
        (harmed(zipfile.ZIP_LZMA), r"cannot read .*\(Corrupt input data\)"),
        (marked(10, 99), r"cannot read .*compression method is not supported"),
        (b"", r"none of the 3 words\. The file is empty; expected lines of a word"),
        (VECTORS.decode().encode("utf-16"), r"The file begins with b'\\xff\\xfet"),
        (b"dog,1,2\n", r"begins with b'dog,1,2\\n'; expected .* and 2 numbers, by sp"),
    ],
    # Not by their content: packed files hold the time.
    ids=itertools.count(),
)
def test_files_that_cannot_be_read(tmp_path, content, message):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_glove(str(tmp_path / "file"), WORDS, 2, seed=0)
