"""Photo bytes to pixels, with core operations of TensorFlow alone."""

from collections.abc import Callable

import tensorflow as tf

from tfcap.images.exif import begins, numbers, upright

FORMATS = "JPEG, PNG, GIF, BMP or WebP"
# Why a photo has no caption, in words for its owner.
EMPTY = "empty: no bytes"
NOT_A_PHOTO = f"not a {FORMATS} photo"
DAMAGED = "damaged or cut short: cannot be decoded"

MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF")
RARE = MAGIC[2:]  # formats that `decode_jpeg` reads not at all or not always
MASKED_LOGIT = MAGIC[3:]  # not at all; a GIF of a single frame it reads, and sooner

Decoder = Callable[[tf.Tensor], tf.Tensor]


def read_photo(photo: tf.Tensor, side: int) -> tf.Tensor:
    """Photo bytes, string [] -> float32 [side, side, 3] of 0 to 255, upright.

    Turned after it is made small, so that what is turned is small, too.
    """
    return upright(resize(decode_photo(photo), side), photo)


def resize(pixels: tf.Tensor, side: int) -> tf.Tensor:
    """Pixels, uint8 [height, width, 3] -> float32 [side, side, 3].

    The operation reads bytes as they are: cast before it, a photo of 50 megapixels
    would need 600 MB more.
    """
    small = tf.image.resize(pixels, [side, side], "bilinear", antialias=True)
    return tf.cast(small, tf.float32)


def decode_photo(photo: tf.Tensor) -> tf.Tensor:
    """Photo bytes, string [] -> pixels, uint8 [height, width, 3], as they are stored.

    JPEG, PNG, the first frame of a GIF, BMP, or WebP that is no animation; grey and
    CMYK become RGB, and what is transparent is left out.
    """
    rare = tf.reduce_any([begins(photo, magic) for magic in RARE])
    return tf.cond(rare, lambda: decode_rare(photo), lambda: decode_common(photo))


def decode_common(photo: tf.Tensor) -> tf.Tensor:
    """As `decode_photo`, for JPEG and PNG, which the operation despite its name reads.

    Its default `dct_method` differs from Pillow's in most pixels and moves pooled
    features by 7 %.
    """
    return tf.io.decode_jpeg(photo, channels=3, dct_method="INTEGER_ACCURATE")


def decode_rare(photo: tf.Tensor) -> tf.Tensor:
    """As `decode_photo`, for GIF, BMP and WebP."""

    def of_gif():
        return tf.io.decode_image(photo, channels=3, expand_animations=False)

    pixels = tf.case(
        [
            (begins(photo, b"BM"), lambda: decode_bmp(photo)),
            (begins(photo, b"RIFF"), lambda: decode_webp(photo)),
        ],
        default=of_gif,
    )
    return tf.ensure_shape(pixels, [None, None, 3])


def decode_webp(photo: tf.Tensor) -> tf.Tensor:
    """WebP, lossy or lossless.

    TensorFlow 2.21 corrupts its memory when it decodes an animation: none gets there.
    """
    extended = tf.strings.substr(photo, 12, 4) == b"VP8X"
    flags = numbers(tf.strings.substr(photo, 20, 1))
    is_animation = extended & tf.reduce_any(tf.bitwise.bitwise_and(flags, 2) == 2)
    with tf.control_dependencies([tf.debugging.assert_equal(is_animation, False)]):
        photo = tf.identity(photo)
    return tf.io.decode_webp(photo)[0, ..., :3]


def decode_bmp(photo: tf.Tensor) -> tf.Tensor:
    """BMP of 8, 24 or 32 bits a pixel, uncompressed.

    TensorFlow's operation looks at neither palette nor compression.
    """
    head = numbers(tf.strings.substr(photo, 0, 54))
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
    """The colours of a BMP of 8 bits, uint8 [256, 3]; black where it gives fewer.

    They stand between the headers and the pixels as blue, green, red, 0.
    """
    powers = tf.constant([1, 1 << 8, 1 << 16, 1 << 24], tf.int64)
    first = 14 + tf.reduce_sum(head[14:18] * powers)
    pixels = tf.reduce_sum(head[10:14] * powers)
    stored = tf.io.decode_raw(photo, tf.uint8)[first:pixels][: 4 * 256]
    missing = 4 * 256 - tf.size(stored)
    colours = tf.reshape(tf.pad(stored, [[0, missing]]), [256, 4])
    return colours[:, 2::-1]


def read_what_can_be(photos: tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """As `read_photo`, of a batch in which a photo may fail alone.

    Args:
        photos: string [batch].

    Returns:
        float32 [batch, side, side, 3], black where a photo cannot be read, and why
        not, string [batch], empty where it can.
    """
    # An empty string fails at once; `decode_jpeg` would decode the whole of a WebP
    # before what it gives is refused.
    never = tf.reduce_any([begins(photos, magic) for magic in MASKED_LOGIT], 0)
    pixels, is_read = attempt(tf.where(never, "", photos), side, decode_common)
    rare = tf.reduce_any([begins(photos, magic) for magic in RARE], 0) & ~is_read

    def again():
        found, is_found = attempt(tf.where(rare, photos, ""), side, decode_rare)
        return pixels + found, is_read | is_found

    pixels, is_read = tf.cond(tf.reduce_any(rare), again, lambda: (pixels, is_read))
    pixels = tf.map_fn(
        lambda pair: upright(*pair),
        (pixels, photos),
        fn_output_signature=tf.TensorSpec([side, side, 3], tf.float32),
    )
    return pixels, tf.where(is_read, "", problems(photos))


def attempt(
    photos: tf.Tensor, side: int, decode: Decoder
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes and resizes; a data set is the only core operation in which one may fail.

    It builds its function anew for every batch: the larger the function, the longer
    (8 ms for this one with `decode_common`, 300 ms for all of `read_photo`).

    Returns:
        float32 [batch, side, side, 3], 0 where `decode` fails, and where it does not,
        bool [batch].
    """
    batch = tf.size(photos, tf.int64)
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    found = (
        tf.data.Dataset.from_tensor_slices(photos)
        .enumerate()
        .map(
            lambda i, photo: (i, resize(decode(photo), side)),
            num_parallel_calls=4,
            deterministic=True,
        )
        .ignore_errors()
        .batch(tf.maximum(batch, 1))
        .with_options(options)
    )
    nothing = tf.zeros([0], tf.int64), tf.zeros([0, side, side, 3])
    indices, pixels = found.reduce(nothing, lambda _, everything: everything)
    where, ones = indices[:, tf.newaxis], tf.ones_like(indices)
    shape = tf.stack([batch, side, side, 3])
    is_read = tf.scatter_nd(where, ones, batch[tf.newaxis]) > 0
    pixels = tf.cond(
        tf.size(indices, tf.int64) == batch,
        lambda: pixels,
        lambda: tf.scatter_nd(where, pixels, shape),
    )
    return tf.ensure_shape(pixels, [None, side, side, 3]), is_read


def problems(photos: tf.Tensor) -> tf.Tensor:
    """What is wrong with photos that cannot be decoded, string [batch]."""
    known = tf.reduce_any([begins(photos, magic) for magic in MAGIC], 0)
    return tf.where(photos == "", EMPTY, tf.where(known, DAMAGED, NOT_A_PHOTO))
