"""The vocabulary file: one token per line, whose line number is its id."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from records.errors import UserError
from records.storage.files import read_file, reason, write_atomically

PAD, START, END, UNK = "<pad>", "<start>", "<end>", "<unk>"
PAD_ID, START_ID, END_ID, UNK_ID = 0, 1, 2, 3
FILE_NAME = "vocabulary.txt"
MAX_BYTES = 64 << 20  # of the file: a million words take about 10 MiB


def special_tokens(keep_unknown: bool) -> list[str]:
    """Returns the first tokens of every vocabulary."""
    return [PAD, START, END, *([UNK] if keep_unknown else [])]


class Vocabulary:
    """Tokens and their ids.

    Ids 0, 1 and 2 are `<pad>`, `<start>` and `<end>`. Id 3 is `<unk>`; where tokens out
    of the vocabulary are dropped it is the first word instead. Words follow by falling
    count, ties by token; for pieces and characters see `records.text.subwords`.

    >>> from records import Vocabulary
    >>> counts = {"dog": 5, "a": 9, "yak": 1}
    >>> vocabulary = Vocabulary.from_counts(counts, min_count=2, keep_unknown=True)
    >>> vocabulary.tokens
    ('<pad>', '<start>', '<end>', '<unk>', 'a', 'dog')
    >>> vocabulary.encode(["a", "yak"])
    [1, 4, 3, 2]
    >>> vocabulary.decode([1, 4, 5, 2, 0])
    'a dog'
    """

    def __init__(self, tokens: Sequence[str]):
        self.tokens = tuple(tokens)
        if self.tokens[:3] != (PAD, START, END):
            raise UserError(
                f"a vocabulary begins with the lines {PAD}, {START}, {END}; "
                f"received {list(self.tokens[:3])}. Build the records again."
            )
        self._ids = {token: i for i, token in enumerate(self.tokens)}
        if len(self._ids) != len(self.tokens):
            repeated = next(t for i, t in enumerate(self.tokens) if self._ids[t] != i)
            raise UserError(f"the vocabulary holds the token {repeated!r} twice")

    @classmethod
    def from_counts(
        cls,
        counts: Mapping[str, int],
        min_count: int,
        keep_unknown: bool,
        first: Sequence[str] = (),
    ) -> "Vocabulary":
        """Returns the special tokens, `first`, and all tokens counted often enough.

        The latter are sorted by falling count, ties by token.
        """
        kept = [token for token, count in counts.items() if count >= min_count]
        kept.sort(key=lambda token: (-counts[token], token))
        return cls([*special_tokens(keep_unknown), *first, *kept])

    @classmethod
    def load(cls, path: str) -> "Vocabulary":
        try:
            text = read_file(path, MAX_BYTES).decode("utf-8")
        except FileNotFoundError:
            raise UserError(f"no vocabulary at {path}") from None
        except OSError as error:
            raise UserError(f"cannot read {path}: {reason(error)}") from None
        except UnicodeDecodeError as error:
            raise UserError(f"{path} is not UTF-8: {error}") from None
        # splitlines() would also split at other characters than a newline.
        return cls(text.removesuffix("\n").split("\n"))

    def save(self, path: str) -> None:
        write_atomically(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        return "".join(f"{token}\n" for token in self.tokens).encode("utf-8")

    @property
    def digest(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @property
    def has_unknown(self) -> bool:
        return len(self.tokens) > UNK_ID and self.tokens[UNK_ID] == UNK

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Returns the ids of tokens, between those of `<start>` and `<end>`.

        Unknown tokens become `<unk>`; a vocabulary without it drops them.
        """
        if self.has_unknown:
            body = [self._ids.get(token, UNK_ID) for token in tokens]
        else:
            body = [self._ids[token] for token in tokens if token in self._ids]
        return [START_ID, *body, END_ID]

    def decode(self, ids: Iterable[int]) -> str:
        """Returns a line of the tokens up to `<end>`, without start and padding."""
        tokens = []
        for i in ids:
            if i == END_ID:
                break
            if i not in (PAD_ID, START_ID):
                tokens.append(self.tokens[i])
        return " ".join(tokens)
