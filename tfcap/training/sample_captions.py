"""Writes captions of a few dev photos and the photos to TensorBoard, every epoch."""

from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
import tensorflow as tf

from records.format import schema
from records.format.numbered_records import read_numbered
from records.format.record_set import RecordSet
from records.format.schema import PhotoRecord
from records.photo_header import MAX_BYTES, PhotoProblem, check_header
from records.storage.files import read_file
from records.storage.photo_directory import PhotoFolder, named_folder
from tfcap.config.decoding import DecodingConfig
from tfcap.config.experiment import Config
from tfcap.data.augmentation import whole_photos
from tfcap.data.pipeline import Batch
from tfcap.decoding.output import detokenize
from tfcap.decoding.searching import search
from tfcap.images.decoding import decode_photo
from tfcap.models.base import CaptioningModel
from tfcap.training.gradients import with_features

COUNT = 4
PIXELS = 224


class Samples:
    """A few dev photos, drawn by the seed of the run, that are captioned every epoch.

    Args:
        model: writes the captions with its current weights.
        records: with a split dev.
        config: seed of the draw, settings of the search.
        photos: directory of the photo files; None for the one that the records were
            made from. Photos that records keep need no file. Without either, only text
            is written.
    """

    def __init__(
        self,
        model: CaptioningModel,
        records: RecordSet,
        config: Config,
        photos: str | None,
    ):
        self.chosen = choose(records, "dev", COUNT, config.training.seed)
        folder = named_folder(records.manifest.sources, photos)
        self.pictures = {r.photo_id: picture(r, folder) for r in self.chosen}
        self.inputs = {
            "features": tf.stack([record.features for record in self.chosen])
        }
        if model.encoder is not None:
            self.inputs = {"pixels": pixels_of(self.chosen, records)}

        # Without reranking, so that each epoch spends the same few seconds on it.
        self.write = make_caption_function(
            model, records, config.decoding, consensus=None
        )

    def captions(self) -> list[str]:
        """Returns the model's captions of the photos."""
        return [caption.decode() for caption in self.write(self.inputs).numpy()]

    def draw(self, step: int, captions: list[str]) -> None:
        """Adds captions, references and photos to the default summary writer."""
        tf.summary.text("captions", table(self.chosen, captions), step)
        for name, pixels in self.pictures.items():
            if pixels is not None:
                tf.summary.image(f"photos/{name}", pixels[tf.newaxis], step)


def make_caption_function(
    model: CaptioningModel, records: RecordSet, config: DecodingConfig, **changes: Any
) -> Callable[[Batch], tf.Tensor]:
    """Returns a graph that captions photos by the model's current weights.

    Args:
        model: writes the captions.
        records: with the vocabulary.
        config: settings of the search.
        changes: settings with other values than in `config`.

    Returns:
        A batch of `features`, or of `pixels` for a model with an encoder -> captions,
        string [photos].
    """
    longest = records.manifest.longest_training_caption
    decoding = config.resolve_max_length(longest).model_copy(update=changes)

    @tf.function(autograph=False, reduce_retracing=True)
    def write(batch: Batch) -> tf.Tensor:
        features = with_features(model, batch, False)["features"]
        words, tokenizer = records.vocabulary, records.manifest.tokenizer
        captions = search(model, features, decoding, words, tokenizer)
        return detokenize(captions.tokens[:, 0], words, tokenizer)

    return write


def choose(
    records: RecordSet, split: str, count: int, seed: int
) -> tuple[PhotoRecord, ...]:
    """Reads up to `count` records of a split, picked by `seed`, in stored order."""
    photos = records.manifest.photos(split)
    rng = np.random.default_rng(seed)
    numbers = sorted(rng.choice(photos, min(count, photos), replace=False).tolist())
    return tuple(
        schema.decode(serialized, records.manifest.features)
        for serialized in read_numbered(records, split, numbers)
    )


def pixels_of(chosen: tuple[PhotoRecord, ...], records: RecordSet) -> tf.Tensor:
    """Returns the photos as encoder inputs, float32 [photos, side, side, 3]."""
    photos = tf.constant([record.encoded for record in chosen])
    return whole_photos(records.manifest.encoder, photos)


def picture(record: PhotoRecord, folder: PhotoFolder) -> tf.Tensor | None:
    """Returns a small photo, uint8 [height, width, 3]; None if it cannot be read."""
    try:
        encoded = record.encoded
        if not encoded:
            path = folder.find(record.photo_id) or ""
            encoded = read_file(path, MAX_BYTES)
        check_header(encoded)
        pixels = decode_photo(tf.constant(encoded))
    except (OSError, PhotoProblem, tf.errors.OpError):
        return None
    small = tf.image.resize(pixels, [PIXELS, PIXELS], preserve_aspect_ratio=True)
    return tf.cast(small, tf.uint8)


def table(chosen: tuple[PhotoRecord, ...], captions: list[str]) -> str:
    """Returns a Markdown table of photos, captions and references."""
    rows = [
        f"| {plain(record.photo_id)} | {plain(caption)} | "
        f"{plain(' / '.join(record.captions))} |"
        for record, caption in zip(chosen, captions)
    ]
    return "\n".join(["| photo | caption | people's |", "|---|---|---|", *rows])


def describe_monotony(captions: list[str]) -> str:
    """Returns a note if all captions are the same or empty; else an empty string.

    >>> describe_monotony(["a dog", "a dog"])
    'sample captions all the same'
    """
    if not any(captions):
        return "sample captions all empty"
    same = len(captions) > 1 and len(set(captions)) == 1
    return "sample captions all the same" if same else ""


def plain(text: str) -> str:
    """Escapes text for a cell of a Markdown table."""
    return escape(text, quote=False).replace("|", "\\|").replace("\n", " ")
