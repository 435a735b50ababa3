"""Writes an export to disk."""

import json
import os
from contextlib import suppress

import tensorflow as tf

from records.errors import UserError
from records.storage.base import temporary_name
from records.storage.files import (
    check_utf8,
    exists,
    file_sizes,
    make_directory,
    remove_directory,
    write_text,
)
from records.storage.gfile import check_scheme
from records.text.vocabulary import FILE_NAME
from tfcap.export import warmup
from tfcap.export.signatures import PhotoCaptioner
from tfcap.inference.export_directory import FORMAT, FORMAT_FILE
from tfcap.runs.checkpoints import in_words

VERSION = "1"
MODEL_CARD = "model_card.md"


def export(
    captioner: PhotoCaptioner,
    directory: str,
    overwrite: bool = False,
    card: str | None = None,
) -> str:
    """Writes the SavedModel to `directory/1`, as TF Serving expects; returns the path.

    It is written under a hidden name and renamed, so that it is there whole or not at
    all.

    >>> from tfcap.export import export, photo_captioner
    >>> from tfcap.runs.workdir import Workdir
    >>> run = Workdir.open("runs/demo")
    >>> settings = run.config.decoding.resolve_max_length(12)
    >>> captioner = photo_captioner([run], settings)
    >>> export(captioner, "export/mine")
    'export/mine/1'

    Args:
        captioner: The model with its encoder.
        directory: Directory of the export.
        overwrite: Whether to replace an existing export.
        card: Text of the model card (`model_card.describe`).

    Raises:
        UserError: There is an export already, or the directory cannot be written.
    """
    path = check_output(directory, overwrite)
    unfinished = temporary_name(path)
    try:
        save(captioner, unfinished)
        warmup.write(unfinished)
        content = json.dumps({"format": FORMAT}) + "\n"
        write_text(os.path.join(unfinished, FORMAT_FILE), content)
        if card is not None:
            write_text(os.path.join(unfinished, MODEL_CARD), card)
        put_in_place(unfinished, path)
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"cannot write {path}: {in_words(error)}") from None
    finally:
        with suppress(OSError):
            remove_directory(unfinished)
    return path


def put_in_place(unfinished: str, path: str) -> None:
    """Renames an export; an earlier one is removed when the new one is in its place."""
    if not exists(path):
        tf.io.gfile.rename(unfinished, path)
        return
    earlier = temporary_name(path)
    tf.io.gfile.rename(path, earlier)
    try:
        tf.io.gfile.rename(unfinished, path)
    except BaseException:
        tf.io.gfile.rename(earlier, path)
        raise
    with suppress(OSError):
        remove_directory(earlier)


def check_output(directory: str, overwrite: bool = False) -> str:
    """Returns the path of the SavedModel in an export's directory.

    Raises:
        UserError: There is an export already, or TensorFlow cannot write the path.
    """
    check_utf8(directory, "--output")
    check_scheme(directory)
    path = os.path.join(directory, VERSION)
    if exists(path) and not overwrite:
        raise UserError(f"{path} exists; add --overwrite to replace it")
    return path


def save(captioner: PhotoCaptioner, path: str) -> None:
    """Writes the SavedModel. The vocabulary is an asset, not a part of the graph."""
    module, signatures = tf.Module(), captioner.signatures()
    words = os.path.join(path, f"{FILE_NAME}.tmp", FILE_NAME)
    make_directory(os.path.dirname(words))
    captioner.vocabulary.save(words)
    module.vocabulary = tf.saved_model.Asset(words)
    module.weights = captioner.weights.variables
    tf.saved_model.save(module, path, signatures=signatures)
    remove_directory(os.path.dirname(words))


def size(path: str) -> int:
    """Returns the size of an export in bytes."""
    return sum(file_sizes(path, nested=True).values())
