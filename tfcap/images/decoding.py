"""Decoding of photo bytes to pixels, with core operations of TensorFlow only."""

from collections.abc import Callable
from functools import partial

import tensorflow as tf

from tfcap.images.exif import begins, byte_values, upright
from tfcap.images.resizing import SQUASH, Resizing, resize

FORMATS = "JPEG, PNG, GIF, BMP or WebP"
# Reasons why a photo has no caption, shown to its owner.
EMPTY = "empty: no bytes"
NOT_A_PHOTO = f"not a {FORMATS} photo"
DAMAGED = "damaged or cut short: cannot be decoded"

MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF")
RARE = MAGIC[2:]  # formats that `decode_jpeg` reads never or not always
NEVER_BY_JPEG = MAGIC[3:]  # never; it reads GIFs of one frame, and faster

Decoder = Callable[[tf.Tensor], tf.Tensor]


def read_photo(photo: tf.Tensor, side: int, resizing: Resizing = SQUASH) -> tf.Tensor:
    """Reads a photo into float32 [side, side, 3] of 0 to 255, upright.

    The photo is turned after it is resized, when there are few pixels to turn.

    Args:
        photo: Bytes of the file, string [].
        side: Side of the result in pixels.
        resizing: How the photo becomes a square.
    """
    return upright(resize(decode_photo(photo), side, resizing), photo)


def decode_photo(photo: tf.Tensor) -> tf.Tensor:
    """Decodes photo bytes, string [], to uint8 [height, width, 3], as stored.

    Reads JPEG, PNG, the first frame of a GIF, BMP, and WebP without animation. Grey and
    CMYK become RGB; transparency is ignored.
    """
    rare = tf.reduce_any([begins(photo, magic) for magic in RARE])
    return tf.cond(rare, lambda: decode_rare(photo), lambda: decode_common(photo))


def decode_common(photo: tf.Tensor) -> tf.Tensor:
    """Decodes JPEG and PNG; the operation reads both despite its name.

    Its default `dct_method` differs from Pillow's in most pixels and changes pooled
    features by 7 %.
    """
    return tf.io.decode_jpeg(photo, channels=3, dct_method="INTEGER_ACCURATE")


def decode_rare(photo: tf.Tensor) -> tf.Tensor:
    """Decodes GIF, BMP and WebP."""

    def decode_gif() -> tf.Tensor:
        return tf.io.decode_image(photo, channels=3, expand_animations=False)

    pixels = tf.case(
        [
            (begins(photo, b"BM"), lambda: decode_bmp(photo)),
            (begins(photo, b"RIFF"), lambda: decode_webp(photo)),
        ],
        default=decode_gif,
    )
    return tf.ensure_shape(pixels, [None, None, 3])


def decode_webp(photo: tf.Tensor) -> tf.Tensor:
    """Decodes WebP, lossy or lossless; fails for an animation.

    TensorFlow 2.21 corrupts its memory when it decodes an animation.
    """
    extended = tf.strings.substr(photo, 12, 4) == b"VP8X"
    flags = byte_values(tf.strings.substr(photo, 20, 1))
    is_animation = extended & tf.reduce_any(tf.bitwise.bitwise_and(flags, 2) == 2)
    with tf.control_dependencies([tf.debugging.assert_equal(is_animation, False)]):
        photo = tf.identity(photo)
    return tf.io.decode_webp(photo)[0, ..., :3]


def decode_bmp(photo: tf.Tensor) -> tf.Tensor:
    """Decodes an uncompressed BMP of 8, 24 or 32 bits per pixel.

    TensorFlow's operation ignores palette and compression.
    """
    head = byte_values(tf.strings.substr(photo, 0, 54))
    # BI_RGB, or BI_BITFIELDS, which is how 32 bits are often declared.
    plain = tf.reduce_any(head[30] == tf.constant([0, 3], tf.int64))
    with tf.control_dependencies([tf.debugging.assert_equal(plain, True)]):
        pixels = tf.io.decode_bmp(photo)
    return tf.cond(
        tf.shape(pixels)[-1] == 1,
        lambda: tf.gather(palette(photo, head), tf.cast(pixels[..., 0], tf.int32)),
        lambda: pixels[..., :3],
    )


def palette(photo: tf.Tensor, head: tf.Tensor) -> tf.Tensor:
    """Returns the colours of a BMP of 8 bits, uint8 [256, 3]; missing ones are black.

    They stand between the headers and the pixels as blue, green, red, 0.
    """
    powers = tf.constant([1, 1 << 8, 1 << 16, 1 << 24], tf.int64)
    first = 14 + tf.reduce_sum(head[14:18] * powers)
    pixels = tf.reduce_sum(head[10:14] * powers)
    stored = tf.io.decode_raw(photo, tf.uint8)[first:pixels][: 4 * 256]
    missing = 4 * 256 - tf.size(stored)
    colours = tf.reshape(tf.pad(stored, [[0, missing]]), [256, 4])
    return colours[:, 2::-1]


def read_what_can_be(
    photos: tf.Tensor, side: int, resizing: Resizing = SQUASH
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads a batch as `read_photo` does; a photo that fails does not fail the others.

    Args:
        photos: Bytes of the files, string [batch].
        side: Side of the result in pixels.
        resizing: How a photo becomes a square.

    Returns:
        Pixels float32 [batch, side, side, 3], black where a photo cannot be read, and
        the reason, string [batch], empty where it can.
    """
    # An empty string fails at once, whereas `decode_jpeg` would decode all of a WebP
    # before its result is refused.
    never = tf.reduce_any([begins(photos, magic) for magic in NEVER_BY_JPEG], 0)
    square = partial(resize, side=side, resizing=resizing)
    pixels, is_read = attempt(
        tf.where(never, "", photos), side, lambda photo: square(decode_common(photo))
    )
    rare = tf.reduce_any([begins(photos, magic) for magic in RARE], 0) & ~is_read

    def add_rare() -> tuple[tf.Tensor, tf.Tensor]:
        rare_photos = tf.where(rare, photos, "")
        rare_pixels, is_rare_read = attempt(
            rare_photos, side, lambda photo: square(decode_rare(photo))
        )
        return pixels + rare_pixels, is_read | is_rare_read

    pixels, is_read = tf.cond(tf.reduce_any(rare), add_rare, lambda: (pixels, is_read))
    pixels = tf.map_fn(
        lambda pair: upright(*pair),
        (pixels, photos),
        fn_output_signature=tf.TensorSpec([side, side, 3], tf.float32),
    )
    return pixels, tf.where(is_read, "", problems(photos))


def attempt(photos: tf.Tensor, side: int, read: Decoder) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads each photo of a batch; leaves those black that fail.

    A data set is the only core operation of which single elements may fail. It builds
    its function once per batch, in a time that grows with the function: 8 ms for this
    one with `decode_common`, 300 ms for all of `read_photo`.

    Args:
        photos: Bytes of the files, string [batch].
        side: Side of the result in pixels.
        read: Returns a photo, string [], as float32 [side, side, 3].

    Returns:
        Pixels float32 [batch, side, side, 3], 0 where `read` fails, and whether it
        succeeded, bool [batch].
    """
    indices, pixels = read_or_skip(photos, side, read)
    return place_in_batch(indices, pixels, tf.size(photos, tf.int64))


def read_or_skip(
    photos: tf.Tensor, side: int, read: Decoder
) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads the photos that can be read; the arguments are those of `attempt`.

    Returns:
        Their indices in the batch, ascending, int64 [n], and their pixels, float32
        [n, side, side, 3].
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    one_batch = (
        tf.data.Dataset.from_tensor_slices(photos)
        .enumerate()
        .map(
            lambda i, photo: (i, read(photo)),
            num_parallel_calls=4,
            deterministic=True,
        )
        .ignore_errors()
        .batch(tf.maximum(tf.size(photos, tf.int64), 1))
        .with_options(options)
    )
    # The data set has one element, or none if all photos fail: `nothing` then.
    nothing = tf.zeros([0], tf.int64), tf.zeros([0, side, side, 3])
    return one_batch.reduce(nothing, lambda _, batch: batch)


def place_in_batch(
    indices: tf.Tensor, pixels: tf.Tensor, batch: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Puts the pixels of some photos of a batch in their places, and 0 elsewhere.

    Without a failure they are in place, and the copy that a scatter makes is saved.

    Args:
        indices: Places of the photos, int64 [n].
        pixels: Their pixels, float32 [n, side, side, 3].
        batch: Number of photos of the batch, int64 [].

    Returns:
        Pixels float32 [batch, side, side, 3], and which photos have any, bool [batch].
    """
    places = indices[:, tf.newaxis]
    has_pixels = tf.scatter_nd(places, tf.ones_like(indices), batch[tf.newaxis]) > 0
    image = pixels.shape[1:]
    pixels = tf.cond(
        tf.size(indices, tf.int64) == batch,
        lambda: pixels,
        lambda: tf.scatter_nd(places, pixels, tf.stack([batch, *image])),
    )
    return tf.ensure_shape(pixels, [None, *image]), has_pixels


def problems(photos: tf.Tensor) -> tf.Tensor:
    """Returns why photos cannot be decoded, string [batch]."""
    known = tf.reduce_any([begins(photos, magic) for magic in MAGIC], 0)
    return tf.where(photos == "", EMPTY, tf.where(known, DAMAGED, NOT_A_PHOTO))
