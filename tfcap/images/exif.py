"""How a camera was held, from the EXIF of a JPEG, PNG or WebP file, in graph.

Source: CIPA DC-008 (Exif 2.32), sections 4.5 and 4.6; PNG 3rd edition, chunk eXIf. A
file whose EXIF is damaged or absent counts as upright: no photo is lost to it.
"""

import tensorflow as tf

TAG = 0x0112  # Orientation, a SHORT in the first directory
ENTRY = 12  # bytes of a directory's entry
SEGMENTS = 64  # at most so many are looked at before the pixels begin


def upright(pixels: tf.Tensor, photo: tf.Tensor) -> tf.Tensor:
    """Turns pixels, [height, width, 3] of the photo's bytes, as its EXIF says.

    Those of a photo without EXIF stay as they are, bit for bit.
    """
    held = orientation(photo)
    return tf.cond(held == 1, lambda: pixels, lambda: turn(pixels, held))


def turn(pixels: tf.Tensor, held: tf.Tensor) -> tf.Tensor:
    """From orientation `held`, int64 [] of 1 to 8, to 1."""

    def one_of(*values: int) -> tf.Tensor:
        return tf.reduce_any(held == tf.constant(values, tf.int64))

    pixels = tf.cond(held >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    axes = tf.boolean_mask([0, 1], [one_of(3, 4, 7, 8), one_of(2, 3, 6, 7)])
    return tf.reverse(pixels, axes)


def orientation(photo: tf.Tensor) -> tf.Tensor:
    """Photo bytes, string [] -> 1 (upright) to 8, int64 []."""
    one = tf.constant(1, tf.int64)
    return tf.case(
        [
            (begins(photo, b"\xff\xd8\xff"), lambda: in_tiff(exif_of_jpeg(photo))),
            (begins(photo, b"\x89PNG"), lambda: in_tiff(exif_of_png(photo))),
            (begins(photo, b"RIFF"), lambda: in_tiff(exif_of_webp(photo))),
        ],
        default=lambda: one,
    )


def begins(photo: tf.Tensor, magic: bytes) -> tf.Tensor:
    return tf.strings.substr(photo, 0, len(magic)) == magic


def exif_of_jpeg(photo: tf.Tensor) -> tf.Tensor:
    """The EXIF's bytes, int64 [n]; none if there is no such segment.

    A segment is FF, marker, length of two bytes (themselves included), content.
    """

    def is_exif(head: tf.Tensor) -> tf.Tensor:
        name = tf.constant(list(b"Exif\0\0"), tf.int64)
        return (head[1] == 0xE1) & tf.reduce_all(head[4:10] == name)

    def goes_on(head: tf.Tensor) -> tf.Tensor:
        return (head[0] == 0xFF) & (head[1] != 0xDA)  # DA: the pixels begin

    return find(photo, 2, 10, is_exif, goes_on, lambda head: 2 + big(head[2:4]), 10)


def exif_of_png(photo: tf.Tensor) -> tf.Tensor:
    """The EXIF's bytes, int64 [n]; none if there is no such chunk before the pixels.

    A chunk is length of four bytes (of the content), name, content, checksum.
    """

    def named(name: bytes):
        wanted = tf.constant(list(name), tf.int64)
        return lambda head: tf.reduce_all(head[4:8] == wanted)

    pixels = named(b"IDAT")
    step = lambda head: 12 + big(head[:4])  # noqa: E731
    return find(photo, 8, 8, named(b"eXIf"), lambda head: ~pixels(head), step, 8)


def exif_of_webp(photo: tf.Tensor) -> tf.Tensor:
    """The EXIF's bytes, int64 [n]; none if there is no such chunk.

    A chunk is name, length of four bytes, the least significant first (of the content),
    and content, to an even number of bytes.
    """

    def is_exif(head: tf.Tensor) -> tf.Tensor:
        return tf.reduce_all(head[:4] == tf.constant(list(b"EXIF"), tf.int64))

    def step(head: tf.Tensor) -> tf.Tensor:
        length = big(head[7:3:-1])
        return 8 + length + length % 2

    content = find(photo, 12, 8, is_exif, lambda head: True, step, 8)
    name = tf.constant(list(b"Exif\0\0"), tf.int64)
    head = content[:6]
    named = (tf.size(head) == 6) & tf.reduce_all(head == name[: tf.size(head)])
    return tf.cond(named, lambda: content[6:], lambda: content)


def find(photo, start, size, is_wanted, goes_on, step, skip) -> tf.Tensor:
    """Walks segments, by their first `size` bytes, to the content of the wanted one.

    Args:
        start: where the first segment is.
        is_wanted, goes_on: of a segment's head, int64 [size].
        step: from there to the next.
        skip: bytes before the content.
    """
    length = tf.strings.length(photo)

    def head(at: tf.Tensor) -> tf.Tensor:
        return numbers(tf.strings.substr(photo, at, size))

    def is_inside(at: tf.Tensor) -> tf.Tensor:
        return (at > 0) & (at <= length - size)

    def searching(at, n):
        return tf.cond(
            is_inside(at) & (n < SEGMENTS),
            lambda: ~is_wanted(head(at)) & goes_on(head(at)),
            lambda: False,
        )

    def advance(at, n):
        return at + tf.cast(tf.minimum(step(head(at)), 2**30), tf.int32), n + 1

    at, _ = tf.while_loop(searching, advance, [tf.constant(start), tf.constant(0)])
    found = tf.cond(is_inside(at), lambda: is_wanted(head(at)), lambda: False)
    return tf.cond(
        found,
        lambda: numbers(tf.strings.substr(photo, at + skip, 1 << 16)),
        lambda: tf.zeros([0], tf.int64),
    )


def in_tiff(tiff: tf.Tensor) -> tf.Tensor:
    """The orientation in an EXIF's bytes, int64 [n]; 1 where there is none.

    A slice beyond the end is only shorter, so that nothing here can fail.
    """
    is_little = tf.reduce_all(tiff[:2] == ord("I")) & (tf.size(tiff) > 0)

    def number(values: tf.Tensor) -> tf.Tensor:
        return big(tf.cond(is_little, lambda: values[..., ::-1], lambda: values))

    at = number(tiff[4:8])
    count = number(tiff[at : at + 2])
    entries = tiff[at + 2 : at + 2 + count * ENTRY]
    entries = tf.reshape(entries[: tf.size(entries) // ENTRY * ENTRY], [-1, ENTRY])
    values = tf.boolean_mask(number(entries[:, 8:10]), number(entries[:, :2]) == TAG)
    valid = tf.boolean_mask(values, (values >= 1) & (values <= 8))
    return tf.concat([valid, [1]], 0)[0]


def numbers(text: tf.Tensor) -> tf.Tensor:
    """String [] -> its bytes, int64 [n]."""
    return tf.cast(tf.io.decode_raw(text, tf.uint8), tf.int64)


def big(values: tf.Tensor) -> tf.Tensor:
    """Bytes, int64 [..., n], most significant first -> int64 [...]."""
    powers = 256 ** tf.range(tf.shape(values, tf.int64)[-1], dtype=tf.int64)
    return tf.reduce_sum(values * powers[::-1], -1)
