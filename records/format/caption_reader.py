"""Reads a split's captions without its features and photos."""

import functools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.batching import batched
from records.errors import UserError
from records.format import schema
from records.format.column_reader import read_columns
from records.format.record_set import RecordSet, decode_each
from records.text.vocabulary import PAD_ID

AT_ONCE = 1024  # records parsed at a time


class CaptionIds(NamedTuple):
    """The token ids of a split's captions, in stored order.

    Attributes:
        tokens: ids of all captions, concatenated, in the smallest unsigned type.
        lengths: number of tokens of each caption, int32.
        captions: number of captions of each photo, int32.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    captions: np.ndarray

    @classmethod
    def joined(cls, parts: Iterable["CaptionIds"]) -> "CaptionIds":
        """Concatenates parts; each is released before the next is read."""
        buffers = [bytearray() for _ in cls._fields]
        dtypes: list[np.dtype] = [np.dtype(np.uint8)] * len(cls._fields)
        for part in parts:
            dtypes = [column.dtype for column in part]
            for buffer, column in zip(buffers, part):
                buffer += column.tobytes()
        return cls(*map(np.frombuffer, buffers, dtypes))

    def parts(self, photos: int) -> Iterator["CaptionIds"]:
        """Yields the captions of `photos` photos at a time."""
        caption = token = 0
        for start in range(0, len(self.captions), photos):
            captions = self.captions[start : start + photos]
            lengths = self.lengths[caption:][: captions.sum()]
            tokens = self.tokens[token:][: lengths.sum()]
            yield CaptionIds(tokens, lengths, captions)
            caption, token = caption + len(lengths), token + len(tokens)

    def of_photos(self, numbers: np.ndarray) -> "CaptionIds":
        """Returns the captions of the photos of these numbers, in stored order."""
        chosen = np.zeros(len(self.captions), bool)
        chosen[numbers] = True
        captions = np.repeat(chosen, self.captions)
        tokens = np.repeat(captions, self.lengths)
        return CaptionIds(
            self.tokens[tokens], self.lengths[captions], self.captions[chosen]
        )

    def without_first(self) -> "CaptionIds":
        """Returns the captions without their first tokens."""
        lengths = self.lengths[self.lengths > 0]
        rest = np.ones(len(self.tokens), bool)
        rest[np.cumsum(lengths, dtype=np.int64) - lengths] = False
        shorter = np.maximum(self.lengths - 1, 0)
        return CaptionIds(self.tokens[rest], shorter, self.captions)

    def padded(self, least: int) -> np.ndarray:
        """Returns one row per caption, padded: int32 [captions, longest or `least`]."""
        longest = max(self.lengths.max(initial=0), least)
        is_token = np.arange(longest) < self.lengths[:, np.newaxis]
        rows = np.full(is_token.shape, PAD_ID, np.int32)
        rows[is_token] = self.tokens
        return rows


def read_texts(records: RecordSet, split: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields each photo's id and its captions as in the source.

    Raises:
        UserError: names shard and record number where the file is damaged.
    """
    read = functools.partial(read_columns, columns=(schema.PHOTO_ID, schema.TEXT))
    return decode_each(records.local_shards(split), read, schema.decode_texts)


def read_ids(records: RecordSet, split: str) -> CaptionIds:
    """Returns the ids of every caption of a split, `<start>` and `<end>` included.

    Raises:
        UserError: a shard is damaged; names it.
    """
    return CaptionIds.joined(read_parts(records, split))


def read_parts(records: RecordSet, split: str) -> Iterator[CaptionIds]:
    """Yields the ids of some photos at a time, in the smallest type for tokens."""
    smallest = np.min_scalar_type(len(records.vocabulary))
    for path in records.local_shards(split):
        for tokens, lengths, captions in parsed_ids(path):
            yield CaptionIds(tokens.astype(smallest), lengths, captions)


def parsed_ids(path: str) -> Iterator[CaptionIds]:
    """Yields the ids of `AT_ONCE` records of a shard at a time."""
    records = read_columns(path, (schema.IDS, schema.LENGTHS))
    for batch in batched(records, AT_ONCE):
        try:
            yield CaptionIds(*schema.parse_ids(tf.constant(batch)))
        except (tf.errors.InvalidArgumentError, UserError) as error:
            message = getattr(error, "message", str(error))
            raise UserError(f"{path}: not photo records: {message}") from None
