"""The record of a photo: names, types, encoding and decoding of its columns.

    image/id          string            the photo's file name
    image/sha256      string            digest of the photo's bytes as read
    image/features    string            raw little-endian array, row-major
    caption/text      string [n]        captions as in the source
    caption/ids       int64 [sum(len)]  token ids of all captions, one after another
    caption/lengths   int64 [n]         number of ids of each caption
    image/encoded     string            the photo itself, only with keep_photos

Features are bytes and not a `float_list`. A spatial grid takes 40 times as long to
serialise as floats, and one `decode_raw` parses the bytes of a whole batch.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import tensorflow as tf
from pydantic import Field

from records.errors import UserError
from records.frozen_model import FrozenModel

PHOTO_ID = "image/id"
PHOTO_SHA256 = "image/sha256"
FEATURES = "image/features"
ENCODED = "image/encoded"
TEXT = "caption/text"
IDS = "caption/ids"
LENGTHS = "caption/lengths"

Size = Annotated[int, Field(ge=1, le=2**31 - 1)]


class FeatureSpec(FrozenModel):
    """Shape and dtype of one photo's features, without the batch dimension.

    >>> from records import FeatureSpec
    >>> FeatureSpec(shape=(8, 8, 2048), dtype="float16").bytes
    262144
    """

    shape: tuple[Size, ...] = Field(min_length=1)
    dtype: Literal["float32", "float16"]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class PhotoRecord:
    """One photo with its captions.

    >>> from records import RecordSet
    >>> record = next(RecordSet.open("data/records").records("train"))
    >>> for caption, ids in zip(record.captions, record.ids):
    ...     print(caption, ids)
    a cat sleeps on snow (1, 4, 5, 10, 8, 11, 2)
    cat sleeps (1, 5, 10, 2)

    Attributes:
        photo_id: the photo's file name.
        photo_sha256: digest of the photo's bytes, 32 bytes.
        features: array of the record set's FeatureSpec.
        captions: as in the source.
        ids: token ids of each caption, with `<start>` and `<end>`.
        encoded: the photo's bytes, if they are kept.
    """

    photo_id: str
    photo_sha256: bytes
    features: np.ndarray
    captions: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...]
    encoded: bytes | None = None


def encode(record: PhotoRecord) -> bytes:
    """Serialises a record; equal records give equal bytes."""
    little_endian = record.features.dtype.newbyteorder("<")
    features = np.ascontiguousarray(record.features, little_endian).tobytes()
    columns = {
        PHOTO_ID: _strings([record.photo_id.encode()]),
        PHOTO_SHA256: _strings([record.photo_sha256]),
        FEATURES: _strings([features]),
        TEXT: _strings([caption.encode() for caption in record.captions]),
        IDS: _integers([i for caption in record.ids for i in caption]),
        LENGTHS: _integers([len(caption) for caption in record.ids]),
    }
    if record.encoded is not None:
        columns[ENCODED] = _strings([record.encoded])
    example = tf.train.Example(features=tf.train.Features(feature=columns))
    return example.SerializeToString(deterministic=True)


def decode(serialized: bytes, spec: FeatureSpec) -> PhotoRecord:
    """Parses one record.

    Raises:
        UserError: the bytes are no record, or their features do not fit `spec`.
    """
    with _parsed(serialized) as columns:
        (sha256,) = columns[PHOTO_SHA256].bytes_list.value
        (raw,) = columns[FEATURES].bytes_list.value
        photo_id, captions = _id_and_captions(columns)
    if len(raw) != spec.bytes:
        raise UserError(
            f"features of {photo_id} take {len(raw)} bytes; "
            f"{list(spec.shape)} {spec.dtype} takes {spec.bytes}"
        )
    little_endian = np.dtype(spec.dtype).newbyteorder("<")
    encoded = columns[ENCODED].bytes_list.value if ENCODED in columns else None
    return PhotoRecord(
        photo_id=photo_id,
        photo_sha256=sha256,
        features=np.frombuffer(raw, little_endian).reshape(spec.shape),
        captions=captions,
        ids=_cut(columns[IDS].int64_list.value, columns[LENGTHS].int64_list.value),
        encoded=encoded[0] if encoded else None,
    )


def parse_batch(
    serialized: tf.Tensor, spec: FeatureSpec, with_photos: bool = False
) -> dict[str, tf.Tensor]:
    """Parses a whole batch of records at once, in graph.

    Args:
        serialized: string [photos].
        spec: shape and dtype of the features.
        with_photos: parses the photos too; the records must hold them.

    Returns:
        `photo_id` string [photos]; `features` [photos, *shape] of the stored dtype;
        `ids` ragged int64 [photos, captions, tokens]; with photos also `encoded`, their
        bytes, string [photos].
    """
    text = tf.io.FixedLenFeature([], tf.string)
    columns = tf.io.parse_example(
        serialized,
        {
            PHOTO_ID: text,
            FEATURES: text,
            IDS: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
            LENGTHS: tf.io.VarLenFeature(tf.int64),
            **({ENCODED: text} if with_photos else {}),
        },
    )
    lengths = columns[LENGTHS]
    # Validation is on: it refuses lengths that do not sum to the number of ids.
    captions = tf.RaggedTensor.from_row_lengths(columns[IDS].values, lengths.values)
    # The sparse indices hold the photo of each caption, so nothing is computed for it.
    ids = tf.RaggedTensor.from_value_rowids(
        captions, lengths.indices[:, 0], lengths.dense_shape[0], validate=False
    )
    flat = tf.io.decode_raw(columns[FEATURES], spec.dtype)
    parsed = {
        "photo_id": columns[PHOTO_ID],
        "features": tf.reshape(flat, [tf.shape(serialized)[0], *spec.shape]),
        "ids": ids,
    }
    return {**parsed, "encoded": columns[ENCODED]} if with_photos else parsed


def parse_ids(serialized: tf.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parses the captions of records, which need not have other columns.

    Args:
        serialized: string [photos].

    Returns:
        Token ids of all captions, int64; number of tokens of each caption and number of
        captions of each photo, int32.

    Raises:
        UserError: the lengths do not sum to the number of ids.
    """
    numbers = tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64)
    columns = tf.io.parse_example(serialized, {IDS: numbers, LENGTHS: numbers})
    ids, lengths = columns[IDS], columns[LENGTHS]
    if tf.reduce_any(tf.reduce_sum(lengths, 1) != ids.row_lengths()):
        raise UserError("caption lengths do not sum to the number of ids")
    counts = lengths.values, lengths.row_lengths()
    return ids.values.numpy(), *(tf.cast(n, tf.int32).numpy() for n in counts)


def decode_texts(serialized: bytes) -> tuple[str, tuple[str, ...]]:
    """Parses photo id and captions of a record, which need not have other columns.

    Raises:
        UserError: the bytes are no record.
    """
    with _parsed(serialized) as columns:
        return _id_and_captions(columns)


@contextmanager
def _parsed(serialized: bytes) -> Iterator[Mapping[str, Any]]:
    """Yields a record's columns; turns any error of the body into a UserError."""
    try:
        yield tf.train.Example.FromString(serialized).features.feature
    except Exception as error:
        raise UserError(f"not a photo record ({type(error).__name__})") from None


def _id_and_captions(columns: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    (photo_id,) = columns[PHOTO_ID].bytes_list.value
    captions = tuple(text.decode() for text in columns[TEXT].bytes_list.value)
    return photo_id.decode(), captions


def _strings(values: list[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _integers(values: list[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _cut(flat: Sequence[int], lengths: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    if sum(lengths) != len(flat):
        raise UserError(f"caption lengths sum to {sum(lengths)}, not {len(flat)} ids")
    ends = np.cumsum(lengths)
    return tuple(tuple(flat[end - n : end]) for n, end in zip(lengths, ends))
