"""The automaton of the Penn Treebank tokenizer, read from the jar of pycocoevalcap.

coco-caption cuts captions by `PTBTokenizer` of Stanford CoreNLP 3.4.1, a lexer that
JFlex made: a deterministic automaton in tables, kept as string constants of the class
`PTBLexer`. The jar comes with `pycocoevalcap`. To read the tables takes no Java.

Source: Java Virtual Machine Specification, chapter 4 (class files); JFlex manual, "Code
Generation" (tables).
"""

import functools
import hashlib
import os
import struct
import zipfile
from array import array
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pycocoevalcap

from records.errors import UserError

JAR = ("tokenizer", "stanford-corenlp-3.4.1.jar")
CLASS = "edu/stanford/nlp/process/PTBLexer.class"
SHA256 = "715fdfb3652cc6796f90f28442378a0c71c92b5909f1fc934f698497987b6dd0"
# Bytes of each kind of constant in a class file's pool, by its tag.
SIZES = {3: 4, 4: 4, 5: 8, 6: 8, 7: 2, 8: 2, 9: 4, 10: 4, 11: 4, 12: 4}
SIZES |= {15: 3, 16: 2, 17: 4, 18: 4}
UTF8, WIDE = 1, (5, 6)  # a wide constant takes two places in the pool


class Tables(NamedTuple):
    """An automaton over UTF-16 units.

    Attributes:
        classes: uint16 [65536], class of each unit.
        rows, transitions: the next state is `transitions[rows[state] + class]`, -1 for
            none.
        final: by state, whether a token may end there.
        last: by state, whether no longer token can follow.
        actions: by state, number of the rule whose token ends there.
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
        UserError: the jar is not there, or of another version.
    """
    constants = string_constants(read_class())
    transitions = "".join(constants[f"ZZ_TRANS_PACKED_{i}"] for i in range(9))
    attributes = repeated(constants["ZZ_ATTRIBUTE_PACKED_0"])
    rows = units(constants["ZZ_ROWMAP_PACKED_0"]).reshape(-1, 2)
    return Tables(
        classes=repeated(constants["ZZ_CMAP_PACKED"]).astype(np.uint16),
        rows=array("i", (rows[:, 0] << 16 | rows[:, 1]).tolist()),
        transitions=array("i", (repeated(transitions) - 1).tolist()),
        final=(attributes & 1 == 1).tolist(),
        last=(attributes & 8 == 8).tolist(),
        actions=array("i", repeated(constants["ZZ_ACTION_PACKED_0"]).tolist()),
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


def string_constants(content: bytes) -> dict[str, str]:
    """Returns the constant strings among a class's fields, by name.

    A string has one character a UTF-16 unit.
    """
    pool, at = read_pool(content)
    (interfaces,) = struct.unpack_from(">H", content, at + 6)
    return dict(read_fields(content, at + 8 + 2 * interfaces, pool))


def read_pool(content: bytes) -> tuple[dict[int, bytes], int]:
    """Returns the constants, as bytes by number, and where the pool ends."""
    (count,) = struct.unpack_from(">H", content, 8)
    pool, at, number = {}, 10, 1
    while number < count:
        tag = content[at]
        if tag == UTF8:
            (size,) = struct.unpack_from(">H", content, at + 1)
            at += 2
        else:
            size = SIZES[tag]
        pool[number] = content[at + 1 : at + 1 + size]
        at += 1 + size
        number += 2 if tag in WIDE else 1
    return pool, at


def read_fields(
    content: bytes, at: int, pool: dict[int, bytes]
) -> Iterator[tuple[str, str]]:
    (fields,) = struct.unpack_from(">H", content, at)
    at += 2
    for _ in range(fields):
        _, name, kind, attributes = struct.unpack_from(">4H", content, at)
        at += 8
        for _ in range(attributes):
            what, size = struct.unpack_from(">HI", content, at)
            if pool[what] == b"ConstantValue" and pool[kind] == b"Ljava/lang/String;":
                (value,) = struct.unpack_from(">H", content, at + 6)
                (text,) = struct.unpack(">H", pool[value])
                yield pool[name].decode(), modified_utf8(pool[text])
            at += 6 + size


def modified_utf8(text: bytes) -> str:
    return text.replace(b"\xc0\x80", b"\0").decode("utf-8", "surrogatepass")


def units(text: str) -> np.ndarray:
    """Returns a text's UTF-16 units, int32 [units]."""
    content = text.encode("utf-16-le", "surrogatepass")
    return np.frombuffer(content, "<u2").astype(np.int32)


def repeated(packed: str) -> np.ndarray:
    """Unpacks pairs of (how often, value)."""
    pairs = units(packed).reshape(-1, 2)
    return np.repeat(pairs[:, 1], np.maximum(1, pairs[:, 0]))
