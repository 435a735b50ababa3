"""Captions from an exported model: photo bytes in, captions out. Needs TensorFlow.

Needs no Keras, no tensorflow_text and no model of tfcap. The export it reads:

    DIR/1/saved_model.pb      a version directory, as TensorFlow Serving requires. The
                              highest number is used; DIR may be the SavedModel itself
    DIR/1/assets.extra/tfcap.json   version of the format; older exports have none
    signature serving_default
      image_bytes  string  [photos]   JPEG, PNG, GIF, BMP or WebP files as they are
      caption      string  [photos]
      score        float32 [photos]   mean log-probability of the caption's tokens
      error        string  [photos]   why there is no caption; empty if there is one
    signature explain                 beams and words, see tfcap/export/signatures.py
"""

import itertools
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from records.errors import UserError
from records.format.versions import refuse_newer
from records.photo_header import MAX_PIXELS
from records.storage.base import is_remote
from records.storage.files import check_utf8, read_file, reason
from tfcap.inference.photo_limits import Row, screen

FORMAT = 1
FORMAT_FILE = os.path.join("assets.extra", "tfcap.json")
SIGNATURE = "serving_default"
INPUT = "image_bytes"
CAPTION, SCORE, ERROR = "caption", "score", "error"
EXPLAIN = "explain"

_EXPORT = "export one with: tfcap export --workdir DIR --output DIR"


@dataclass(frozen=True)
class Captioned:
    """The caption of one photo, or why there is none.

    Attributes:
        caption: The caption; "" if there is an error.
        score: Mean log-probability of its tokens; 0.0 if there is an error.
        error: Why there is no caption, in words for the photo's owner, or None.
    """

    caption: str
    score: float
    error: str | None = None

    @classmethod
    def failed(cls, error: str) -> "Captioned":
        return cls("", 0.0, error)


@dataclass(frozen=True)
class Explained:
    """A photo's captions, with probabilities and attention weights of the best.

    Attributes:
        beams: Captions, best first, without errors.
        words: Tokens of the best caption; "." stands for its end.
        probabilities: Probability of each word, given the photo and the words before.
        attention: Attention weights of each word, [words][rows][columns], which sum to
            1 for each word; None if the model has no attention.
        error: As in `Captioned`; the other attributes are empty then.
    """

    beams: tuple[Captioned, ...] = ()
    words: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    attention: list[list[list[float]]] | None = None
    error: str | None = None

    @classmethod
    def failed(cls, error: str) -> "Explained":
        return cls(error=error)

    def looks_at_places(self) -> bool:
        """Returns whether there are attention weights over more than one cell."""
        first_word = self.attention[0] if self.attention else []
        return sum(map(len, first_word)) > 1


class Captioner:
    """An exported model, loaded.

    >>> Captioner.load("export").caption([open("dog.jpg", "rb").read()])
    [Captioned(caption='a dog runs on grass', score=-0.41, error=None)]

    Attributes:
        version: Number of the version directory, "1" if there is none.
        explains: Whether the export has the signature `explain`.
    """

    def __init__(self, model: Any, version: str = "1"):
        """Takes a model that `tf.saved_model.load` returned; see `load`."""
        self.version = version
        # A signature holds its variables weakly: the model must be kept.
        self._model = model
        self._run = model.signatures[SIGNATURE]
        self._explain = model.signatures.get(EXPLAIN)
        self.explains = self._explain is not None

    @classmethod
    def load(cls, directory: str) -> "Captioner":
        """Loads the newest version in `directory`, or `directory` itself.

        Raises:
            UserError: There is no SavedModel, a newer version wrote it, it cannot be
                loaded, or it lacks the signature described above.
        """
        path, version = _find(os.fspath(directory))
        _check_format(os.path.join(path, FORMAT_FILE))
        try:
            model = tf.saved_model.load(path)
        except (OSError, ValueError, tf.errors.OpError) as error:
            message = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
            raise UserError(
                f"cannot load the SavedModel in {path} ({message}); {_EXPORT}"
            ) from None
        _check_signature(model, path)
        return cls(model, version)

    def caption(self, photos: Sequence[bytes]) -> list[Captioned]:
        """Captions photos in one batch. Memory grows with their number.

        Args:
            photos: Encoded JPEG, PNG, GIF, BMP or WebP files. Those that cannot be
                decoded get an error.

        Returns:
            One `Captioned` per photo, in the same order.
        """
        if not photos:
            return []
        outputs = self._run(**{INPUT: tf.constant(list(photos), tf.string)})
        columns = (outputs[name].numpy().tolist() for name in (CAPTION, SCORE, ERROR))
        return [
            Captioned(text(caption), score, text(error) or None)
            for caption, score, error in zip(*columns, strict=True)
        ]

    def explain(self, photos: Sequence[bytes]) -> list[Explained]:
        """Captions photos, with the other beams and the words of the best one.

        Raises:
            UserError: The export has no signature `explain`.
        """
        if not self.explains:
            raise UserError(f"this export has no signature {EXPLAIN!r}; {_EXPORT}")
        if not photos:
            return []
        outputs = self._explain(**{INPUT: tf.constant(list(photos), tf.string)})
        arrays = {name: values.numpy() for name, values in outputs.items()}
        return [
            explained({name: values[i] for name, values in arrays.items()})
            for i in range(len(photos))
        ]

    def warm_up(self) -> None:
        """Runs each signature once, since its first run takes seconds longer."""
        black = tf.io.encode_jpeg(tf.zeros([32, 32, 3], tf.uint8)).numpy()
        self.caption([black])
        if self.explains:
            self.explain([black])


def text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def explained(outputs: dict[str, Any]) -> Explained:
    """Converts one photo's outputs of the signature `explain`, given as arrays."""
    if outputs[ERROR]:
        return Explained.failed(text(outputs[ERROR]))
    words = [text(word) for word in outputs["words"] if word]
    attention = outputs.get("attention")
    return Explained(
        beams=tuple(
            Captioned(text(caption), float(score))
            for caption, score in zip(outputs["captions"], outputs["scores"])
        ),
        words=tuple(words),
        probabilities=tuple(outputs["probabilities"][: len(words)].tolist()),
        attention=None if attention is None else attention[: len(words)].tolist(),
    )


def caption_within(
    captioner: Captioner, photos: Sequence[bytes], max_pixels: int = MAX_PIXELS
) -> list[Captioned]:
    """Captions photos from strangers; decoding never holds more than `max_pixels`.

    Headers are checked first. A photo beyond the limit, or no photo at all, gets an
    error and is not decoded. The others run in batches within the limit.

    Returns:
        One `Captioned` per photo, in the same order.
    """
    return _within(captioner.caption, Captioned.failed, photos, max_pixels)


def explain_within(
    captioner: Captioner, photos: Sequence[bytes], max_pixels: int = MAX_PIXELS
) -> list[Explained]:
    """Explains the captions of photos from strangers, as `caption_within` does."""
    return _within(captioner.explain, Explained.failed, photos, max_pixels)


def _within(
    run: Callable[[Sequence[bytes]], list[Row]],
    failed: Callable[[str], Row],
    photos: Sequence[bytes],
    max_pixels: int,
) -> list[Row]:
    screened = screen(photos, max_pixels)
    results = map(run, screened.batches(max_pixels))
    return screened.merge(itertools.chain.from_iterable(results), failed)


def _find(directory: str) -> tuple[str, str]:
    """Returns the path of the SavedModel to load, and its version."""
    check_utf8(directory)
    if tf.saved_model.contains_saved_model(directory):
        return directory, "1"
    for version in sorted(_versions(directory), key=int, reverse=True):
        path = os.path.join(directory, version)
        if tf.saved_model.contains_saved_model(path):
            return path, version
    raise UserError(
        f"no SavedModel in {directory} (looked for saved_model.pb there and in "
        f"numbered directories such as {os.path.join(directory, '1')}); {_EXPORT}"
    )


def _versions(directory: str) -> list[str]:
    if not tf.io.gfile.isdir(directory):
        return []
    # TensorFlow lists no directory that holds a name which is not UTF-8.
    names = (tf.io.gfile if is_remote(directory) else os).listdir(directory)
    # Object stores list a folder's name with a slash at its end.
    return [name.rstrip("/") for name in names if name.rstrip("/").isdecimal()]


def _check_format(path: str) -> None:
    try:
        version = json.loads(read_file(path))["format"]
    except FileNotFoundError:
        return  # an older export
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason(error)}; {_EXPORT}") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise UserError(f"{path} is damaged: it says no format; {_EXPORT}") from None
    refuse_newer(version, FORMAT, path, f", or {_EXPORT}")
    if version != FORMAT:
        raise UserError(f"{path} is damaged: its format is {version!r}; {_EXPORT}")


def _check_signature(model: Any, path: str) -> None:
    signature = model.signatures.get(SIGNATURE)
    inputs = signature.structured_input_signature[1] if signature else {}
    outputs = signature.structured_outputs if signature else {}
    if set(inputs) != {INPUT} or not {CAPTION, SCORE, ERROR} <= set(outputs):
        raise UserError(
            f"the SavedModel in {path} is no exported captioner: signature "
            f"{SIGNATURE!r} must take {INPUT} and give {CAPTION}, {SCORE} and {ERROR}; "
            f"it takes {sorted(inputs)} and gives {sorted(outputs)}; {_EXPORT}"
        )
