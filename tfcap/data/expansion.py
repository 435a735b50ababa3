"""Expands captions to training rows: one for each prefix, or one for each caption.

    prefix   a caption of n tokens becomes n - 1 rows (prefix, next token)
    causal   one row a caption, and the same caption shifted by one as its target

Features are referenced, not copied: row i belongs to photo `photo[i]` of the batch.
"""

import tensorflow as tf

from records.text.vocabulary import PAD_ID


def pad(ids: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Pads the captions of a batch to dense tensors.

    It uses few operations: with captions of a dozen tokens an operation costs more to
    start than to run.

    Args:
        ids: ragged int64 [photos, captions, tokens].

    Returns:
        The photo of each caption, int32 [captions]; and its tokens, int32 [captions,
        longest], padded on the right with 0. The second axis is at least 2, because a
        batch may have no caption.
    """
    captions = ids.values
    photo = tf.cast(ids.value_rowids(), tf.int32)
    longest = tf.reduce_max(captions.row_lengths())  # below 2 without captions
    shape = tf.stack([-1, tf.maximum(longest, 2)])
    tokens = captions.with_values(tf.cast(captions.values, tf.int32))
    return photo, tokens.to_tensor(PAD_ID, shape=shape)


def expand_prefixes(photo: tf.Tensor, tokens: tf.Tensor) -> dict[str, tf.Tensor]:
    """Expands every caption of n tokens to n - 1 rows (prefix, next token).

    Photo 0 with the caption `<start> a dog <end>`, ids 1 5 7 2, becomes

        photo   prefix   target
        0       1 0 0    5
        0       1 5 0    7
        0       1 5 7    2

    Args:
        photo: the photo of each caption, int32 [captions].
        tokens: int32 [captions, longest], padded on the right with 0.

    Returns:
        `photo` int32 [rows], `prefix` int32 [rows, length] padded on the right with
        0 and cut to the longest, `target` int32 [rows].
    """
    target = tokens[:, 1:]
    row = tf.where(target != PAD_ID)
    caption, last = tf.unstack(row, axis=1)  # and position, of each target
    width = tf.shape(target)[1]
    # Row i of the triangle keeps tokens 0 to i; a product is cheaper than a `where`.
    triangle = tf.linalg.band_part(tf.ones([width, width], tf.int32), -1, 0)
    return {
        "photo": tf.gather(photo, caption),
        "prefix": tf.gather(tokens[:, :-1], caption) * tf.gather(triangle, last),
        "target": tf.gather_nd(target, row),
    }


def expand_causal(photo: tf.Tensor, tokens: tf.Tensor) -> dict[str, tf.Tensor]:
    """Expands every caption to one row whose target is shifted by one token.

    Photo 0 with the caption `<start> a dog <end>`, ids 1 5 7 2, becomes

        photo   prefix   target
        0       1 5 7    5 7 2

    Args:
        photo: the photo of each caption, int32 [captions].
        tokens: int32 [captions, longest], padded on the right with 0.

    Returns:
        `photo` int32 [captions], `prefix` and `target` int32 [captions, length],
        padded on the right with 0, which is no target.
    """
    target = tokens[:, 1:]
    # <end> is a target but never the end of a prefix.
    prefix = tf.where(target != PAD_ID, tokens[:, :-1], PAD_ID)
    return {"photo": photo, "prefix": prefix, "target": target}


EXPANSIONS = {"prefix": expand_prefixes, "causal": expand_causal}
