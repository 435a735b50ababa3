"""Captions from an exported model: photo bytes in, captions out, with TensorFlow alone.

Needs no Keras, no tensorflow_text and no other module of tfcap (`caption_within` takes
`tfcap.photos` and Pillow as well). The export it reads:

    DIR/1/saved_model.pb      a version directory, as TensorFlow Serving wants it;
                              the highest number wins, DIR itself may be the SavedModel
    signature serving_default
      image_bytes  string  [photos]   JPEG, PNG or GIF files as they are
      caption      string  [photos]
      score        float32 [photos]   mean log-probability of the caption's tokens
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tensorflow as tf

from records.errors import UserError

SIGNATURE = "serving_default"
INPUT = "image_bytes"
CAPTION, SCORE = "caption", "score"
UNREADABLE = "not a readable JPEG, PNG or GIF photo"

_EXPORT = "export one with: tfcap export --workdir DIR --output DIR"


@dataclass(frozen=True)
class Captioned:
    """What became of one photo.

    Attributes:
        caption: the caption; "" if there is an error.
        score: mean log-probability of its tokens; 0.0 if there is an error.
        error: why there is no caption, in words for the photo's owner, or None.
    """

    caption: str
    score: float
    error: str | None = None


class Captioner:
    """An exported model, loaded.

    >>> Captioner.load("export").caption([open("dog.jpg", "rb").read()])
    [Captioned(caption='a dog runs on grass', score=-0.41, error=None)]

    Attributes:
        version: the number of the version directory, "1" where there is none.
    """

    def __init__(self, model, version: str = "1"):
        """Takes what `tf.saved_model.load` gave; `load` is the usual way in."""
        self.version = version
        # A signature holds its variables weakly: without the model they would go.
        self._model = model
        self._run = model.signatures[SIGNATURE]

    @classmethod
    def load(cls, directory: str) -> "Captioner":
        """Loads the newest version in `directory`, or `directory` itself.

        Raises:
            UserError: there is no SavedModel, it cannot be loaded, or it lacks the
                signature described above.
        """
        path, version = _find(os.fspath(directory))
        try:
            model = tf.saved_model.load(path)
        except (OSError, ValueError, tf.errors.OpError) as error:
            reason = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
            raise UserError(
                f"cannot load the SavedModel in {path} ({reason}); {_EXPORT}"
            ) from None
        _check_signature(model, path)
        return cls(model, version)

    def caption(self, photos: Sequence[bytes]) -> list[Captioned]:
        """Captions photos, all in one batch: its memory grows with their number.

        A photo that cannot be decoded fails the whole batch in TensorFlow; the photos
        are then run one by one, and only the bad ones get an error.

        Args:
            photos: encoded JPEG, PNG or GIF files.

        Returns:
            One `Captioned` per photo, in the same order.
        """
        if not photos:
            return []
        try:
            return self._caption_batch(photos)
        except tf.errors.InvalidArgumentError:
            if len(photos) == 1:
                return [Captioned("", 0.0, UNREADABLE)]
        return [self.caption([photo])[0] for photo in photos]

    def warm_up(self) -> None:
        """Runs the model once: its first run takes seconds longer than any other."""
        black = tf.zeros([32, 32, 3], tf.uint8)
        self._caption_batch([tf.io.encode_jpeg(black).numpy()])

    def _caption_batch(self, photos: Sequence[bytes]) -> list[Captioned]:
        outputs = self._run(**{INPUT: tf.constant(list(photos), tf.string)})
        captions, scores = outputs[CAPTION].numpy(), outputs[SCORE].numpy()
        return [
            Captioned(caption.decode("utf-8", "replace"), float(score))
            for caption, score in zip(captions, scores, strict=True)
        ]


def caption_within(
    captioner: Captioner, photos: Sequence[bytes], max_pixels: int
) -> list[Captioned]:
    """Captions photos from strangers: decoding never holds more than `max_pixels`.

    Headers are read first. A photo beyond the limit, or no photo at all, gets an error
    without being decoded; the others run in batches that stay below it together.

    Returns:
        One `Captioned` per photo, in the same order.
    """
    from tfcap.photos import count_pixels  # trusted photos are captioned without Pillow

    pixels = [count_pixels(photo) for photo in photos]
    results = [Captioned("", 0.0, _problem(count, max_pixels)) for count in pixels]
    good = [i for i, result in enumerate(results) if result.error is None]
    for group in _groups(good, pixels, max_pixels):
        captioned = captioner.caption([photos[i] for i in group])
        for i, result in zip(group, captioned, strict=True):
            results[i] = result
    return results


def _problem(pixels: float | None, max_pixels: int) -> str | None:
    if pixels is None:
        return UNREADABLE
    return f"more than {max_pixels:,} pixels" if pixels > max_pixels else None


def _groups(
    photos: Sequence[int], pixels: Sequence[float], most: int
) -> Iterator[list[int]]:
    """Cuts photos, given by index, into groups of at most `most` pixels."""
    group, held = [], 0
    for i in photos:
        if group and held + pixels[i] > most:
            yield group
            group, held = [], 0
        group.append(i)
        held += pixels[i]
    if group:
        yield group


def _find(directory: str) -> tuple[str, str]:
    """The SavedModel to load and its version."""
    if _is_saved_model(directory):
        return directory, "1"
    for version in sorted(_versions(directory), key=int, reverse=True):
        path = os.path.join(directory, version)
        if _is_saved_model(path):
            return path, version
    raise UserError(
        f"no SavedModel in {directory} (looked for saved_model.pb there and in "
        f"numbered directories such as {os.path.join(directory, '1')}); {_EXPORT}"
    )


def _is_saved_model(path: str) -> bool:
    return tf.io.gfile.exists(os.path.join(path, "saved_model.pb"))


def _versions(directory: str) -> list[str]:
    if not tf.io.gfile.isdir(directory):
        return []
    # Object stores list a folder's name with a slash at its end.
    names = (name.rstrip("/") for name in tf.io.gfile.listdir(directory))
    return [name for name in names if name.isdecimal()]


def _check_signature(model, path: str) -> None:
    signature = model.signatures.get(SIGNATURE)
    inputs = signature.structured_input_signature[1] if signature else {}
    outputs = signature.structured_outputs if signature else {}
    if set(inputs) != {INPUT} or not {CAPTION, SCORE} <= set(outputs):
        raise UserError(
            f"the SavedModel in {path} is no exported captioner: signature "
            f"{SIGNATURE!r} must take {INPUT} and give {CAPTION} and {SCORE}; it takes "
            f"{sorted(inputs)} and gives {sorted(outputs)}; {_EXPORT}"
        )
