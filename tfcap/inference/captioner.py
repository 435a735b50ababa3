"""Captions from an exported model: photos in, captions out. Needs TensorFlow.

Needs no Keras, no tensorflow_text and no model of tfcap. The signatures that an export
has (`export_directory` says where it lies):

    signature serving_default
      image_bytes  string  [photos]   JPEG, PNG, GIF, BMP or WebP files as they are
      caption      string  [photos]
      score        float32 [photos]   mean log-probability of the caption's tokens
      error        string  [photos]   why there is no caption; empty if there is one
    signature explain                 beams and words, see tfcap/export/signatures.py
"""

import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import tensorflow as tf

from records.batching import batched
from records.errors import UserError
from records.photo_header import MAX_BYTES, MAX_PIXELS
from records.storage.files import read_file, reason
from records.storage.local_copy import for_tensorflow
from tfcap.inference.export_directory import ADVICE, check_format, find_model
from tfcap.inference.photo_limits import Row, screen

SIGNATURE = "serving_default"
INPUT = "image_bytes"
CAPTION, SCORE, ERROR = "caption", "score", "error"
EXPLAIN = "explain"
BATCH = 32  # photos that are read and run at a time

Photo = bytes | str | os.PathLike[str]  # the content of a file, or its path


@dataclass(frozen=True)
class Captioned:
    """The caption of one photo, or why there is none.

    >>> from tfcap import Captioner
    >>> good, gone = Captioner("export/demo").caption(["photos/dog.jpg", "gone.jpg"])
    >>> good.caption, gone.error
    ('a dog runs on grass', 'No such file or directory')

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

    >>> from tfcap import Captioner
    >>> (explained,) = Captioner("export/demo").explain(["photos/dog.jpg"])
    >>> [beam.caption for beam in explained.beams]
    ['a dog runs on grass', 'a dog runs']
    >>> list(zip(explained.words, explained.probabilities))[:2]
    [('a', 0.75), ('dog', 0.5)]

    Attributes:
        beams: Captions, best first, without errors.
        words: Tokens of the best caption; "." stands for its end.
        probabilities: Probability of each word, given the photo and the words before.
        attention: Attention weights of each word, [words][rows][columns], which sum to
            1 for each word; None if the model has no attention.
        fit: How the encoder made the photo the square that `attention` covers: `squash`
            stretches it, `crop` takes the largest square at its centre, `pad` puts
            black beside it. Older exports do not say it, and have `squash`.
        error: As in `Captioned`; the other attributes are empty then.
    """

    beams: tuple[Captioned, ...] = ()
    words: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    attention: list[list[list[float]]] | None = None
    fit: str = "squash"
    error: str | None = None

    @classmethod
    def failed(cls, error: str) -> "Explained":
        return cls(error=error)

    def looks_at_places(self) -> bool:
        """Returns whether there are attention weights over more than one cell."""
        first_word = self.attention[0] if self.attention else []
        return sum(map(len, first_word)) > 1


class Captioner:
    """An exported model, loaded. Needs TensorFlow alone.

    >>> from tfcap import Captioner
    >>> captioner = Captioner("export/demo")
    >>> captioner.caption(["photos/dog.jpg"])
    [Captioned(caption='a dog runs on grass', score=-0.5, error=None)]

    Args:
        directory: what `tfcap export` wrote, or a SavedModel itself. The newest version
            is loaded.

    Attributes:
        version: Number of the version directory, "1" if there is none.
        explains: Whether the export has the signature `explain`.

    Raises:
        UserError: There is no SavedModel, a newer version wrote it, it cannot be
            loaded, or it lacks the signature described above.
    """

    def __init__(self, directory: str | os.PathLike[str]):
        path, version = find_model(for_tensorflow(os.fspath(directory)))
        self._take(_load(path), version)

    @classmethod
    def from_model(cls, model: Any, version: str = "1") -> "Captioner":
        """Returns the captioner of a model that `tf.saved_model.load` returned."""
        captioner = cls.__new__(cls)
        captioner._take(model, version)
        return captioner

    def _take(self, model: Any, version: str) -> None:
        self.version = version
        # A signature holds its variables weakly: the model must be kept.
        self._model = model
        self._run = model.signatures[SIGNATURE]
        self._explain = model.signatures.get(EXPLAIN)
        self.explains = self._explain is not None

    def caption(
        self, photos: Iterable[Photo], max_pixels: int = MAX_PIXELS
    ) -> list[Captioned]:
        """Captions any number of photos; their headers are checked first.

        Args:
            photos: Paths, or contents, of JPEG, PNG, GIF, BMP or WebP files.
            max_pixels: Largest number of pixels of a photo, and of a batch.

        Returns:
            One `Captioned` per photo, in the same order. A photo that cannot be read
            has an error, and the others are captioned.
        """
        run = partial(caption_within, self, max_pixels=max_pixels)
        return _each(photos, run, Captioned.failed)

    def explain(
        self, photos: Iterable[Photo], max_pixels: int = MAX_PIXELS
    ) -> list[Explained]:
        """Captions photos, with the other beams and the words of the best one.

        Args:
            photos: As in `caption`.
            max_pixels: As in `caption`.

        Raises:
            UserError: The export has no signature `explain`.
        """
        self._check_explains()
        run = partial(explain_within, self, max_pixels=max_pixels)
        return _each(photos, run, Explained.failed)

    def caption_batch(self, photos: Sequence[bytes]) -> list[Captioned]:
        """Captions photos in one batch, unchecked. Memory grows with their number.

        Args:
            photos: Contents of photo files. Those that cannot be decoded get an error.
        """
        if not photos:
            return []
        outputs = self._run(**{INPUT: tf.constant(list(photos), tf.string)})
        columns = (outputs[name].numpy().tolist() for name in (CAPTION, SCORE, ERROR))
        return [
            Captioned(text(caption), score, text(error) or None)
            for caption, score, error in zip(*columns, strict=True)
        ]

    def explain_batch(self, photos: Sequence[bytes]) -> list[Explained]:
        """Explains photos in one batch, as `caption_batch` captions them.

        Raises:
            UserError: The export has no signature `explain`.
        """
        self._check_explains()
        if not photos:
            return []
        outputs = self._explain(**{INPUT: tf.constant(list(photos), tf.string)})
        arrays = {name: values.numpy() for name, values in outputs.items()}
        return [
            explained({name: values[i] for name, values in arrays.items()})
            for i in range(len(photos))
        ]

    def _check_explains(self) -> None:
        if not self.explains:
            raise UserError(f"this export has no signature {EXPLAIN!r}; {ADVICE}")

    def warm_up(self) -> None:
        """Runs each signature once, since its first run takes seconds longer."""
        black = tf.io.encode_jpeg(tf.zeros([32, 32, 3], tf.uint8)).numpy()
        self.caption_batch([black])
        if self.explains:
            self.explain_batch([black])


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
        fit=text(outputs["fit"]) if "fit" in outputs else "squash",
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
    return _within(captioner.caption_batch, Captioned.failed, photos, max_pixels)


def explain_within(
    captioner: Captioner, photos: Sequence[bytes], max_pixels: int = MAX_PIXELS
) -> list[Explained]:
    """Explains the captions of photos from strangers, as `caption_within` does."""
    return _within(captioner.explain_batch, Explained.failed, photos, max_pixels)


def _each(
    photos: Iterable[Photo],
    run: Callable[[Sequence[bytes]], list[Row]],
    failed: Callable[[str], Row],
) -> list[Row]:
    """Reads and runs photos, BATCH at a time; a file that cannot be read is a row."""
    rows: list[Row] = []
    for batch in batched(photos, BATCH):
        contents = [_read(photo) for photo in batch]
        results = iter(run([c for c in contents if isinstance(c, bytes)]))
        rows += [
            next(results) if isinstance(content, bytes) else failed(reason(content))
            for content in contents
        ]
    return rows


def _read(photo: Photo) -> bytes | OSError:
    if isinstance(photo, bytes):
        return photo
    try:
        return read_file(os.fspath(photo), MAX_BYTES)
    except OSError as error:
        return error


def _within(
    run: Callable[[Sequence[bytes]], list[Row]],
    failed: Callable[[str], Row],
    photos: Sequence[bytes],
    max_pixels: int,
) -> list[Row]:
    screened = screen(photos, max_pixels)
    results = map(run, screened.batches(max_pixels))
    return screened.merge(itertools.chain.from_iterable(results), failed)


def _load(path: str) -> Any:
    check_format(path)
    try:
        model = tf.saved_model.load(path)
    except (OSError, ValueError, tf.errors.OpError) as error:
        cause = f"{type(error).__name__}: {str(error).strip()}".splitlines()[0]
        raise UserError(
            f"cannot load the SavedModel in {path} ({cause}); {ADVICE}"
        ) from None
    _check_signature(model, path)
    return model


def _check_signature(model: Any, path: str) -> None:
    signature = model.signatures.get(SIGNATURE)
    inputs = signature.structured_input_signature[1] if signature else {}
    outputs = signature.structured_outputs if signature else {}
    if set(inputs) != {INPUT} or not {CAPTION, SCORE, ERROR} <= set(outputs):
        raise UserError(
            f"the SavedModel in {path} is no exported captioner: signature "
            f"{SIGNATURE!r} must take {INPUT} and give {CAPTION}, {SCORE} and {ERROR}; "
            f"it takes {sorted(inputs)} and gives {sorted(outputs)}; {ADVICE}"
        )
