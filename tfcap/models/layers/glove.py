"""Reads word vectors from a GloVe text file, plain or compressed by gzip or zip.

    the 0.418 0.24968 -0.41242 ...      a word and its numbers, by spaces or tabs

A first line of two whole numbers, which word2vec and fastText write, is skipped.

Source: Pennington, Socher and Manning, "GloVe: Global Vectors for Word Representation",
EMNLP 2014; files from nlp.stanford.edu/projects/glove.
"""

import codecs
import gzip
import logging
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np

from records.errors import UserError
from records.storage.files import open_file
from records.text.vocabulary import END, PAD, START, UNK, Vocabulary

LOGGER = logging.getLogger(__name__)
SPECIAL = {PAD, START, END, UNK}
LONGEST = 1 << 20  # bytes of a line; 300 numbers are 4,000
# Leaves out the files that macOS adds to an archive: __MACOSX/._glove.6B.50d.txt.
TEXT_FILE = re.compile(r"(^|/)[^./][^/]*\.(txt|vec)$", re.IGNORECASE)
GAP, HEADER = re.compile("[ \t]+"), re.compile(rb"\d+[ \t]+\d+\s*")
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
# RuntimeError: an archive with a password, or a compression that Python lacks.
UNREADABLE = (OSError, *DAMAGED, RuntimeError)
REMEDY = (
    "get glove.6B.zip from nlp.stanford.edu/projects/glove, or learn the embedding "
    "with --set model.glove=null --set model.embedding_trainable=true"
)


def load_glove(path: str, vocabulary: Vocabulary, units: int, seed: int) -> np.ndarray:
    """Returns the vectors of the vocabulary's words, float32 [vocabulary, units].

    Prints how many words the file has to standard error. Other words and the special
    tokens get random vectors with the mean and deviation of the vectors read; `<pad>`
    gets zeros.

    Args:
        path: path of the file.
        vocabulary: the words to read.
        units: width of a vector.
        seed: seed of the random vectors.

    Raises:
        UserError: the file cannot be read, the line of a word to read does not have
            `units` finite numbers, or the file has no word of the vocabulary.
    """
    ids = {token: i for i, token in enumerate(vocabulary.tokens)}
    table = np.zeros([len(vocabulary), units], np.float32)
    is_read = np.zeros(len(vocabulary), bool)
    for number, line in read_lines(path, units):
        word, *values = GAP.split(line.strip(" \t\r\n"))
        i = None if word in SPECIAL else ids.get(word)
        if i is None or is_read[i] or is_longer_token(values, units):
            continue
        table[i] = parse_vector(values, units, f"{path}:{number}")
        is_read[i] = True
    words = len(vocabulary) - len(SPECIAL.intersection(vocabulary.tokens))
    if not is_read.any():
        raise UserError(
            f"model.glove: {path} has none of the {words} words. {describe_start(path)}"
            f"; expected lines of a word and {units} numbers, by spaces or tabs, as "
            "UTF-8, alone or packed by gzip or zip"
        )
    LOGGER.info("GloVe: %d of %d words found in %s", is_read.sum(), words, path)
    vectors = table[is_read]
    random = np.random.default_rng(seed)
    drawn = random.normal(vectors.mean(), vectors.std(), table.shape)
    table[~is_read] = drawn[~is_read]
    table[ids[PAD]] = 0
    return table


def describe_start(path: str) -> str:
    with open_file(path) as file:
        start = file.read(40)
    return f"The file begins with {start!r}" if start else "The file is empty"


def read_lines(path: str, units: int) -> Iterator[tuple[int, str]]:
    """Yields number and text of each line; leaves out the header of word2vec."""
    try:
        with opened(path, units) as file:
            lines = iter(lambda: file.readline(LONGEST), b"")
            for number, line in enumerate(lines, start=1):
                if len(line) == LONGEST:
                    raise UserError(
                        f"model.glove: {path}:{number} is longer than {LONGEST:,} "
                        f"bytes: no file of word vectors; {REMEDY}"
                    )
                if number == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                if number > 1 or not HEADER.fullmatch(line):
                    yield number, line.decode("utf-8", "replace")
    except UNREADABLE as error:
        why = getattr(error, "strerror", None) or error
        raise UserError(f"model.glove: cannot read {path} ({why}); {REMEDY}") from None


@contextmanager
def opened(path: str, units: int) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """Opens a file, or the file compressed in it; its first bytes say which."""
    with open_file(path) as file:
        start = file.read(2)
        file.seek(0)
        if start == b"\x1f\x8b":
            yield gzip.GzipFile(fileobj=file)
        elif start == b"PK":
            with zipfile.ZipFile(file) as archive:
                yield archive.open(choose_member(archive, path, units))
        else:
            yield file


def choose_member(archive: zipfile.ZipFile, path: str, units: int) -> str:
    """Returns the only text file of an archive, or the one named after `units`."""
    names = [name for name in archive.namelist() if TEXT_FILE.search(name)]
    fitting = [name for name in names if f".{units}d." in name.lower()]
    chosen = fitting if len(names) > 1 else names
    if len(chosen) != 1:
        listed = ", ".join(names[:8]) or "no text file"
        raise UserError(
            f"model.glove: {path} holds {listed}; expected one text file, or one named "
            f"*.{units}d.txt (model.embedding_units is {units}). Unpack it, and name "
            "the file"
        )
    return chosen[0]


def is_longer_token(values: list[str], units: int) -> bool:
    """Returns whether a line's token has spaces, as some of glove.840B have."""
    if len(values) <= units:
        return False
    try:
        float(values[0])
    except ValueError:
        return True
    return False


def parse_vector(values: list[str], units: int, where: str) -> np.ndarray:
    try:
        vector = np.array(values, np.float32)
    except ValueError:
        raise UserError(f"model.glove: {where}: not a word and numbers") from None
    if len(vector) != units:
        raise UserError(
            f"model.glove: {where}: {len(vector)} numbers, but "
            f"model.embedding_units is {units}"
        )
    if not np.isfinite(vector).all():
        raise UserError(
            f"model.glove: {where}: the vector has nan, or an infinite number; correct "
            "the line or leave it out"
        )
    return vector
