"""Writes an export to disk."""

import json
import os

import tensorflow as tf

from records.errors import UserError
from records.storage.files import file_sizes, write_text
from records.text.vocabulary import FILE_NAME
from tfcap.export import warmup
from tfcap.export.signatures import PhotoCaptioner
from tfcap.inference.captioner import FORMAT, FORMAT_FILE

VERSION = "1"
MODEL_CARD = "model_card.md"


def export(
    captioner: PhotoCaptioner,
    directory: str,
    overwrite: bool = False,
    card: str | None = None,
) -> str:
    """Writes the SavedModel to `directory/1`, as TF Serving expects; returns the path.

    Args:
        captioner: The model with its encoder.
        directory: Directory of the export.
        overwrite: Whether to replace an existing export.
        card: Text of the model card (`model_card.describe`).

    Raises:
        UserError: There is an export already, or the directory cannot be written.
    """
    path = os.path.join(directory, VERSION)
    if tf.io.gfile.exists(path):
        if not overwrite:
            raise UserError(f"{path} exists; add --overwrite to replace it")
        tf.io.gfile.rmtree(path)
    try:
        save(captioner, path)
        warmup.write(path)
        content = json.dumps({"format": FORMAT}) + "\n"
        write_text(os.path.join(path, FORMAT_FILE), content)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"cannot write {path}: {error}") from None
    if card is not None:
        write_text(os.path.join(path, MODEL_CARD), card)
    return path


def save(captioner: PhotoCaptioner, path: str) -> None:
    """Writes the SavedModel. The vocabulary is an asset, not a part of the graph."""
    module, signatures = tf.Module(), captioner.signatures()
    words = os.path.join(path, f"{FILE_NAME}.tmp", FILE_NAME)
    tf.io.gfile.makedirs(os.path.dirname(words))
    captioner.vocabulary.save(words)
    module.vocabulary = tf.saved_model.Asset(words)
    module.weights = captioner.weights.variables
    tf.saved_model.save(module, path, signatures=signatures)
    tf.io.gfile.rmtree(os.path.dirname(words))


def size(path: str) -> int:
    """Returns the size of an export in bytes."""
    return sum(file_sizes(path, nested=True).values())
