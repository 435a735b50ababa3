"""The automaton of the Penn Treebank tokenizer, read from the jar of pycocoevalcap.

coco-caption splits captions by `PTBTokenizer` of Stanford CoreNLP 3.4.1. JFlex made its
lexer: a deterministic automaton whose tables are string constants of the class
`PTBLexer`. `pycocoevalcap` brings the jar. Reading the tables needs no Java.

Source: Java Virtual Machine Specification, chapter 4 (class files); JFlex manual, "Code
Generation" (tables).
"""

import functools
import hashlib
import os
import struct
import zipfile
from array import array
from typing import NamedTuple

import numpy as np
import pycocoevalcap

from records.errors import UserError

JAR = ("tokenizer", "stanford-corenlp-3.4.1.jar")
CLASS = "edu/stanford/nlp/process/PTBLexer.class"
SHA256 = "715fdfb3652cc6796f90f28442378a0c71c92b5909f1fc934f698497987b6dd0"
# Offsets of JFlex's constants (`ZZ_CMAP_PACKED` and so on) in the file of this digest.
CLASSES, ROWS, ATTRIBUTES, ACTIONS = 598199, 7907, 594279, 5313
TRANSITIONS = (24661, 89563, 154021, 217320, 280889, 345530, 409444, 473990, 538870)


class Tables(NamedTuple):
    """An automaton over UTF-16 units.

    Attributes:
        classes: class of each unit, uint16 [65536].
        rows, transitions: the next state is `transitions[rows[state] + class]`; -1
            means that there is none.
        final: whether a token may end in each state.
        last: whether no longer token can follow each state.
        actions: number of the rule whose token ends in each state.
    """

    classes: np.ndarray
    rows: array
    transitions: array
    final: list[bool]
    last: list[bool]
    actions: array


@functools.cache
def load_tables() -> Tables:
    """Reads the tables.

    Raises:
        UserError: the jar does not exist, or is of another version.
    """
    content = read_class()
    transitions = "".join(constant(content, offset) for offset in TRANSITIONS)
    attributes = repeated(constant(content, ATTRIBUTES))
    rows = units(constant(content, ROWS)).reshape(-1, 2)
    return Tables(
        classes=repeated(constant(content, CLASSES)).astype(np.uint16),
        rows=array("i", (rows[:, 0] << 16 | rows[:, 1]).tolist()),
        transitions=array("i", (repeated(transitions) - 1).tolist()),
        final=(attributes & 1 == 1).tolist(),
        last=(attributes & 8 == 8).tolist(),
        actions=array("i", repeated(constant(content, ACTIONS)).tolist()),
    )


def read_class() -> bytes:
    path = os.path.join(*pycocoevalcap.__path__, *JAR)
    try:
        with zipfile.ZipFile(path) as jar:
            content = jar.read(CLASS)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(
            f"cannot read {CLASS} from {path}: {error}. It comes with pycocoevalcap; "
            "install that again"
        ) from None
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise UserError(
            f"{path} does not hold the tokenizer of CoreNLP 3.4.1, which scores are "
            "made with; install pycocoevalcap 1.2"
        )
    return content


def constant(content: bytes, offset: int) -> str:
    """Returns a string constant: its size in bytes, and modified UTF-8."""
    (size,) = struct.unpack_from(">H", content, offset)
    text = content[offset + 2 : offset + 2 + size]
    return text.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")


def units(text: str) -> np.ndarray:
    """Returns a text's UTF-16 units, int32 [units]."""
    content = text.encode("utf-16-le", "surrogatepass")
    return np.frombuffer(content, "<u2").astype(np.int32)


def repeated(packed: str) -> np.ndarray:
    """Unpacks pairs of a count and a value, int32."""
    pairs = units(packed).reshape(-1, 2)
    return np.repeat(pairs[:, 1], np.maximum(1, pairs[:, 0]))
