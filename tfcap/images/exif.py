"""EXIF orientation of a JPEG, PNG or WebP file, in graph.

A file whose EXIF is damaged or absent counts as upright, so that no photo is lost.

Source: CIPA DC-008 (Exif 2.32), sections 4.5 and 4.6; PNG 3rd edition, chunk eXIf.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

TAG = 0x0112  # Orientation, a SHORT in the first directory
ENTRY = 12  # bytes of a directory's entry
SEGMENTS = 64  # the most that are read before the pixels begin


def upright(pixels: tf.Tensor, photo: tf.Tensor) -> tf.Tensor:
    """Turns the pixels of a photo upright, as its EXIF says.

    The pixels of a photo without EXIF stay the same, bit for bit.

    Args:
        pixels: [height, width, 3].
        photo: The photo's bytes, string [].
    """
    code = orientation(photo)
    return tf.cond(code == 1, lambda: pixels, lambda: turn(pixels, code))


def turn(pixels: tf.Tensor, code: tf.Tensor) -> tf.Tensor:
    """Turns pixels from an orientation, int64 [] of 1 to 8, to orientation 1."""

    def one_of(*codes: int) -> tf.Tensor:
        return tf.reduce_any(code == tf.constant(codes, tf.int64))

    pixels = tf.cond(code >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    axes = tf.boolean_mask([0, 1], [one_of(3, 4, 7, 8), one_of(2, 3, 6, 7)])
    return tf.reverse(pixels, axes)


def orientation(photo: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of photo bytes, 1 (upright) to 8, int64 []."""
    upright_code = tf.constant(1, tf.int64)
    return tf.case(
        [
            (begins(photo, b"\xff\xd8\xff"), lambda: in_tiff(read_exif(photo, JPEG))),
            (begins(photo, b"\x89PNG"), lambda: in_tiff(read_exif(photo, PNG))),
            (begins(photo, b"RIFF"), lambda: in_tiff(read_exif_of_webp(photo))),
        ],
        default=lambda: upright_code,
    )


def begins(photo: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.strings.substr(photo, 0, len(magic)) == magic


class SegmentFormat(NamedTuple):
    """A format of files that are a sequence of segments, one of which holds the EXIF.

    Attributes:
        start: Offset of the first segment in bytes.
        head_size: Bytes of a segment's head, which the functions below read.
        exif_offset: Offset of the EXIF in its segment.
        is_exif: Head, int64 [head_size] -> whether the segment holds the EXIF.
        has_next: Head -> whether the search continues after this segment.
        size: Head -> bytes of the whole segment, int64 [].
    """

    start: int
    head_size: int
    exif_offset: int
    is_exif: Callable[[tf.Tensor], tf.Tensor]
    has_next: Callable[[tf.Tensor], tf.Tensor]
    size: Callable[[tf.Tensor], tf.Tensor]


# A segment is FF, marker, length of two bytes (themselves included), content.
JPEG = SegmentFormat(
    start=2,
    head_size=10,
    exif_offset=10,
    is_exif=lambda head: (head[1] == 0xE1) & equals(head[4:10], b"Exif\0\0"),
    # DA: the pixels begin.
    has_next=lambda head: (head[0] == 0xFF) & (head[1] != 0xDA),
    size=lambda head: 2 + big_endian(head[2:4]),
)
# A chunk is length of four bytes (of the content), name, content, checksum.
PNG = SegmentFormat(
    start=8,
    head_size=8,
    exif_offset=8,
    is_exif=lambda head: equals(head[4:8], b"eXIf"),
    # The EXIF must precede the pixels.
    has_next=lambda head: ~equals(head[4:8], b"IDAT"),
    size=lambda head: 12 + big_endian(head[:4]),
)
# A chunk is name, length of four bytes in little-endian order (of the content), and
# content, padded to an even number of bytes.
WEBP = SegmentFormat(
    start=12,
    head_size=8,
    exif_offset=8,
    is_exif=lambda head: equals(head[:4], b"EXIF"),
    has_next=lambda head: True,
    size=lambda head: 8 + (big_endian(head[7:3:-1]) + 1) // 2 * 2,
)


def read_exif_of_webp(photo: tf.Tensor) -> tf.Tensor:
    """Reads the EXIF without the name of JPEG's segment, which some programs write."""
    content = read_exif(photo, WEBP)
    prefix = content[:6]
    name = tf.constant(list(b"Exif\0\0"), tf.int64)[: tf.size(prefix)]
    named = (tf.size(prefix) == 6) & tf.reduce_all(prefix == name)
    return tf.cond(named, lambda: content[6:], lambda: content)


def read_exif(photo: tf.Tensor, file_format: SegmentFormat) -> tf.Tensor:
    """Walks the segments of a file and returns the EXIF's bytes, int64 [n].

    At most `SEGMENTS` are read, and 64 KiB of the EXIF. Without one, n is 0.
    """
    last = tf.strings.length(photo) - file_format.head_size

    def read_head(offset: tf.Tensor) -> tf.Tensor:
        return byte_values(tf.strings.substr(photo, offset, file_format.head_size))

    def is_inside(offset: tf.Tensor) -> tf.Tensor:
        return (offset > 0) & (offset <= last)

    def must_continue(offset: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
        def check_head() -> tf.Tensor:
            head = read_head(offset)
            return ~file_format.is_exif(head) & file_format.has_next(head)

        readable = is_inside(offset) & (count < SEGMENTS)
        return tf.cond(readable, check_head, lambda: False)

    def advance(offset: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        size = tf.minimum(file_format.size(read_head(offset)), 2**30)
        return offset + tf.cast(size, tf.int32), count + 1

    start = [tf.constant(file_format.start), tf.constant(0)]
    offset, _ = tf.while_loop(must_continue, advance, start)
    has_exif = tf.cond(
        is_inside(offset), lambda: file_format.is_exif(read_head(offset)), lambda: False
    )
    first = offset + file_format.exif_offset
    return tf.cond(
        has_exif,
        lambda: byte_values(tf.strings.substr(photo, first, 1 << 16)),
        lambda: tf.zeros([0], tf.int64),
    )


def in_tiff(tiff: tf.Tensor) -> tf.Tensor:
    """Returns the orientation in an EXIF's bytes, int64 [n]; 1 if there is none.

    Nothing here can fail, since a slice beyond the end is only shorter.
    """
    is_little = tf.reduce_all(tiff[:2] == ord("I")) & (tf.size(tiff) > 0)

    def number(values: tf.Tensor) -> tf.Tensor:
        return big_endian(tf.cond(is_little, lambda: values[..., ::-1], lambda: values))

    directory = number(tiff[4:8])
    count = number(tiff[directory : directory + 2])
    first = directory + 2
    entries = tiff[first : first + count * ENTRY]
    entries = tf.reshape(entries[: tf.size(entries) // ENTRY * ENTRY], [-1, ENTRY])
    values = tf.boolean_mask(number(entries[:, 8:10]), number(entries[:, :2]) == TAG)
    valid = tf.boolean_mask(values, (values >= 1) & (values <= 8))
    return tf.concat([valid, [1]], 0)[0]


def equals(values: tf.Tensor, text: bytes) -> tf.Tensor:
    """Returns whether bytes, int64 [n], equal `text`."""
    return tf.reduce_all(values == tf.constant(list(text), tf.int64))


def byte_values(text: tf.Tensor) -> tf.Tensor:
    """Returns the bytes of a string [], int64 [n]."""
    return tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int64)


def big_endian(values: tf.Tensor) -> tf.Tensor:
    """Returns the numbers of bytes [..., n], most significant first, int64 [...]."""
    powers = 256 ** tf.range(tf.shape(values, tf.int64)[-1], dtype=tf.int64)
    return tf.reduce_sum(values * powers[::-1], -1)
