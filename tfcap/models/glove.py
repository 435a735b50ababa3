"""Word vectors from a GloVe text file.

Source: Pennington, Socher and Manning, "GloVe: Global Vectors for Word Representation",
EMNLP 2014; files from nlp.stanford.edu/projects/glove.
"""

import sys

import numpy as np

from records.errors import UserError
from records.vocabulary import END, PAD, START, UNK, Vocabulary

SPECIAL = {PAD, START, END, UNK}


def load_glove(path: str, vocabulary: Vocabulary, units: int, seed: int) -> np.ndarray:
    """Vectors of the vocabulary's words, float32 [vocabulary, units].

    Reads the file once, keeps only the words asked for and says on standard error how
    many were found. Words it lacks, and the special tokens, get vectors drawn with the
    mean and deviation of those found; `<pad>` gets zeros.

    Raises:
        UserError: no such file, a line that is no word and `units` numbers, or not one
            word of the vocabulary in it.
    """
    ids = {token: i for i, token in enumerate(vocabulary.tokens)}
    table = np.zeros([len(vocabulary), units], np.float32)
    found = np.zeros(len(vocabulary), bool)
    for number, word, values in read_lines(path):
        i = None if word in SPECIAL else ids.get(word)
        if i is not None and not found[i]:
            table[i] = parse_vector(values, units, f"{path}:{number}")
            found[i] = True
    words = len(vocabulary) - len(SPECIAL.intersection(vocabulary.tokens))
    if not found.any():
        raise UserError(f"model.glove: {path} has none of the {words} words")
    print(f"GloVe: {found.sum()} of {words} words found in {path}", file=sys.stderr)
    drawn = np.random.default_rng(seed).normal(
        table[found].mean(), table[found].std(), table.shape
    )
    table[~found] = drawn[~found]
    table[ids[PAD]] = 0
    return table


def read_lines(path: str):
    """Yields (line number, word, rest of the line)."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                word, _, values = line.rstrip("\n").partition(" ")
                yield number, word, values
    except OSError as error:
        raise UserError(
            f"model.glove: cannot read {path} ({error.strerror}); get glove.6B.zip "
            "from nlp.stanford.edu/projects/glove, or learn the embedding with "
            "--set model.glove=null --set model.embedding_trainable=true"
        ) from None


def parse_vector(values: str, units: int, where: str) -> np.ndarray:
    try:
        vector = np.array(values.split(), np.float32)
    except ValueError:
        raise UserError(f"model.glove: {where}: not a word and numbers") from None
    if len(vector) != units:
        raise UserError(
            f"model.glove: {where}: {len(vector)} numbers, but "
            f"model.embedding_units is {units}"
        )
    return vector
