"""The work directory of a run: its configuration, records and checkpoints.

config.yaml       format of the directory, and all configuration keys with their values
lock              held while a run trains here; a second run is refused
dataset.json      the manifest of the records it was trained on
vocabulary.txt    their vocabulary
checkpoints/last  the newest states, for resuming; see `tfcap.runs.checkpoints`
checkpoints/best  those with the lowest dev loss, for captions
tensorboard/      curves
evaluation/       captions and scores
final.json        each time the final photos were scored: `tfcap evaluate --final`
average.json      which checkpoints of another run were averaged, if this is an average
"""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from records.console import short_digest
from records.errors import UserError
from records.format import manifest as manifest_module
from records.format.manifest import Manifest, load_manifest
from records.format.record_set import RecordSet, check_vocabulary
from records.storage.files import check_utf8, exists, make_output
from records.storage.gfile import check_scheme
from records.storage.locks import locked
from records.text import vocabulary as vocabulary_module
from records.text.vocabulary import Vocabulary
from records.wording import in_yaml
from tfcap.config.experiment import Config, RecipeOfRecords
from tfcap.config.saved import load_saved, parse_recipe, save_config
from tfcap.data.augmentation import check_keeps_photos
from tfcap.decoding.searching import check_words
from tfcap.models import build_model
from tfcap.models.base import CaptioningModel
from tfcap.runs import checkpoints
from tfcap.runs.average_file import FILE_NAME as AVERAGE
from tfcap.runs.average_file import load_average
from tfcap.runs.checkpoints import Checkpoints

CONFIG = "config.yaml"
# Keys of the encoder that a digest of the weights stands for; all others are compared.
WEIGHTS_KEYS = {"encoder.weights", "encoder.model", "encoder.seed"}
# Keys that may change when a run is resumed: earlier steps did not depend on them.
CHANGEABLE = {
    "decoding",
    "training.epochs",
    "training.patience",
    "training.checkpoint_steps",
    "training.keep_checkpoints",
    "training.log_steps",
    "training.score_photos",
    "training.strategy",
    # Paths of the encoder's weights; a digest identifies the weights themselves.
    "encoder.weights",
    "encoder.model",
}


class Progress(tf.Module):
    """The progress of training, kept in the checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.step_in_epoch = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.best_loss = tf.Variable(float("inf"), dtype=tf.float64, trainable=False)
        self.best_epoch = tf.Variable(0, dtype=tf.int64, trainable=False)


@dataclass
class Workdir:
    """A work directory.

    Attributes:
        path: path of the directory.
        config: configuration of the run.
        manifest: manifest of the records that it was trained on.
        vocabulary: vocabulary of these records.
    """

    path: str
    config: Config
    manifest: Manifest
    vocabulary: Vocabulary

    @classmethod
    def create_or_resume(
        cls, path: str, config: Config, records: RecordSet
    ) -> "Workdir":
        """Starts a work directory, or checks that an existing one fits.

        Args:
            path: path of the directory.
            config: configuration of the run, resolved (`resolve_config`).
            records: what is trained on.

        Raises:
            UserError: the directory was started with other settings or other records,
                which the message names; or it is an average of checkpoints.
        """
        if exists(os.path.join(path, AVERAGE)):
            raise UserError(
                f"{path} is the mean of another run's checkpoints and has nothing to "
                f"resume; start from it: --init {path}, with another --workdir"
            )
        if exists(os.path.join(path, CONFIG)):
            check_same_run(cls.open(path), config, records)
        workdir = cls(path, config, records.manifest, records.vocabulary)
        workdir.write()
        return workdir

    @classmethod
    def open(cls, path: str) -> "Workdir":
        """Opens an existing work directory.

        Raises:
            UserError: there is none at `path`, or it is damaged.
        """
        check_scheme(path)
        config = os.path.join(path, CONFIG)
        if not exists(config):
            raise UserError(
                f"{path} is not a work directory: it has no {CONFIG}. Train first: "
                f"tfcap train --config FILE --records DIR --workdir {shlex.quote(path)}"
            )
        manifest = load_manifest(path)
        return cls(path, load_saved(config), manifest, check_vocabulary(path, manifest))

    def write(self) -> None:
        """Writes all files but checkpoints; config.yaml, which marks it, is last."""
        make_output(self.path, "--workdir")
        self.manifest.save(self.path)
        self.vocabulary.save(self.folder(vocabulary_module.FILE_NAME))
        save_config(self.config, self.folder(CONFIG))

    def folder(self, *names: str) -> str:
        return os.path.join(self.path, *names)

    def last_and_best(self) -> tuple[Checkpoints, Checkpoints]:
        """Returns the newest states, and those with the lowest dev loss."""
        keep = self.config.training.keep_checkpoints
        return (
            Checkpoints(self.folder("checkpoints", "last"), keep),
            Checkpoints(self.folder("checkpoints", "best"), keep),
        )

    def restore_best(self) -> tuple[CaptioningModel, int]:
        """Restores the model with the lowest dev loss; returns it and its epoch.

        Raises:
            UserError: no epoch has been finished yet, or the state is damaged.
        """
        newest = self.best_state()
        model = build_model(self.config, self.manifest, self.vocabulary, restored=True)
        progress = Progress()
        checkpoint = tf.train.Checkpoint(model=model, progress=progress)
        checkpoints.read(checkpoint, newest, partly=True)
        return model, int(progress.epoch)

    def about_best(self, epoch: int) -> str:
        """Describes the best state, which is from `epoch`."""
        if not exists(self.folder(AVERAGE)):
            return f"best dev loss, epoch {epoch}"
        return load_average(self.folder(AVERAGE)).in_words()

    def give_weights(
        self, model: CaptioningModel, config: Config, manifest: Manifest
    ) -> None:
        """Sets another run's model to the weights of this run's best checkpoint.

        Args:
            model: the model of the other run.
            config: configuration of the other run.
            manifest: manifest of the records of the other run.

        Raises:
            UserError: model settings or records differ, or this run fine-tuned an
                encoder and the other run does not. The message names the difference.
        """
        old, new = (flatten(c.model.model_dump()) for c in (self.config, config))
        for key, first, this in differences(old, new):
            raise UserError(
                f"training.init: the model in {self.path} has model.{key}: {first}, "
                f"this run {this}. Leave `model` out of the configuration: with "
                "--init it is that of the first run"
            )
        if difference_of_input(self.manifest, manifest):
            raise UserError(
                f"training.init: the model in {self.path} was trained on other records "
                f"than these: {difference(self.manifest, manifest)}"
            )
        if self.config.training.fine_tuning and model.encoder is None:
            raise UserError(
                f"training.init: the model in {self.path} was trained with its encoder "
                "and cannot read the records' features. Leave training.fine_tuning out "
                "of the configuration: with --init it is that of the first run"
            )
        source, _ = self.restore_best()
        # The encoder's variables are last; they keep their values if `source` has none.
        for variable, value in zip(model.variables, source.variables):
            variable.assign(value)

    def best_state(self) -> str:
        """Returns the directory of the state with the lowest dev loss.

        Raises:
            UserError: no epoch has been finished yet.
        """
        _, best = self.last_and_best()
        newest = best.newest()
        if newest is None:
            raise UserError(f"{self.path} holds no finished epoch yet; train on")
        return newest


@contextmanager
def lock_workdir(path: str) -> Iterator[None]:
    """Makes a work directory, and keeps other runs out of it while the body runs.

    Raises:
        UserError: it cannot be made, or another run, which is named, trains there.
    """
    check_utf8(path, "--workdir")
    check_scheme(path)
    make_output(path, "--workdir")
    try:
        with locked(path, path, "--workdir"):
            yield
    finally:
        # A run that was refused leaves nothing behind.
        with suppress(OSError):
            os.rmdir(path)


def recipe_of(records: RecordSet) -> RecipeOfRecords:
    """Returns the sections of the configuration that the records were made with."""
    path = os.path.join(records.directory, manifest_module.FILE_NAME)
    return parse_recipe(records.manifest.configuration, path)


def begun_with(path: str) -> Config | None:
    """Returns the configuration of the run in a directory; None if it holds none."""
    config = os.path.join(path, CONFIG)
    return load_saved(config) if exists(config) else None


def resolve_config(config: Config, records: RecordSet) -> Config:
    """Returns the configuration with the sections that the records were made with.

    A `decoding.max_length` of null becomes the length of the longest training caption;
    other splits must not influence the search.

    The path of the encoder's weights may differ between commands; training the encoder
    reads them again. Features and tokens may not differ.

    Args:
        config: as it was read.
        records: what is trained on.

    Raises:
        UserError: encoder or tokenizer is not that of the records.
    """
    recipe = recipe_of(records)
    old, new = flatten(recipe.model_dump()), flatten(config.model_dump())
    for key, built, this in differences(old, new):
        if key.startswith(("encoder.", "tokenizer.")) and key not in WEIGHTS_KEYS:
            raise UserError(
                f"the records in {records.directory} were made with {key}: {built}, "
                f"but the configuration says {this}; leave the key out of the "
                "configuration, or build the records again"
            )
    sections = {name: getattr(recipe, name) for name in RecipeOfRecords.model_fields}
    if config.training.fine_tuning:
        check_keeps_photos(records)
        files = {name: getattr(config.encoder, name) for name in ("weights", "model")}
        sections["encoder"] = recipe.encoder.model_copy(update=files)
    sections["decoding"] = config.decoding.resolve_max_length(
        records.manifest.longest_training_caption
    )
    check_words(sections["decoding"], records.vocabulary, records.manifest.tokenizer)
    return config.model_copy(update=sections)


def check_same_run(workdir: Workdir, config: Config, records: RecordSet) -> None:
    old, new = flatten(workdir.config.model_dump()), flatten(config.model_dump())
    for key, first, this in differences(old, new):
        if key not in CHANGEABLE and key.split(".")[0] not in CHANGEABLE:
            raise UserError(
                f"{workdir.path} was started with {key}: {first}; this command has "
                f"{this}. Use another --workdir, or the same value"
            )
    if workdir.manifest.content_digest != records.manifest.content_digest:
        raise UserError(
            f"{workdir.path} was started on other records than {records.directory}: "
            f"{difference(workdir.manifest, records.manifest)}. Use another --workdir, "
            "or the same records"
        )


def difference(old: Manifest, new: Manifest) -> str:
    """Describes the first of encoder, vocabulary and shards that differs."""
    if old.encoder.digest != new.encoder.digest:
        return f"encoder {encoder_name(old)} then, {encoder_name(new)} now"
    if old.vocabulary_sha256 != new.vocabulary_sha256:
        return f"{vocabulary_name(old)} then, {vocabulary_name(new)} now"
    return f"{manifest_module.FILE_NAME} lists other shards"


def check_fits(workdir: Workdir, records: RecordSet) -> None:
    """Raises UserError if a model cannot read these records."""
    old, new = workdir.manifest, records.manifest
    if difference_of_input(old, new):
        raise UserError(
            f"the model in {workdir.path} cannot read {records.directory}: "
            f"{difference(old, new)}. Name the records it was trained on, or build "
            "others with the same encoder, captions and tokenizer"
        )


def difference_of_input(old: Manifest, new: Manifest) -> bool:
    """Returns whether a model made for `old` cannot read the records of `new`.

    It can read features that the same encoder computed in another precision.
    """
    same = old.encoder.network_digest == new.encoder.network_digest
    return not same or old.vocabulary_sha256 != new.vocabulary_sha256


def encoder_name(manifest: Manifest) -> str:
    encoder = manifest.encoder
    layer = f" at {encoder.layer}" if encoder.layer else ""
    pixels = f"{encoder.input_size} x {encoder.input_size} pixels"
    views = [f"{encoder.crops} crops"] * (encoder.crops > 1) + ["flip"] * encoder.flip
    digest = short_digest(encoder.digest)
    precision = [encoder.precision] * (encoder.precision != "float32")
    known = ", ".join([pixels, *views, encoder.pooling, *precision, digest])
    return f"{encoder.name}{layer} ({known})"


def vocabulary_name(manifest: Manifest) -> str:
    digest = short_digest(manifest.vocabulary_sha256)
    return f"a vocabulary of {manifest.vocabulary_size} tokens ({digest})"


def differences(
    old: dict[str, Any], new: dict[str, Any]
) -> Iterator[tuple[str, str, str]]:
    """Yields each key of two flat configurations whose values differ, with both.

    A name comes first: where models differ in it, they differ in the other keys too.
    """
    for key in sorted({*old, *new}, key=lambda key: (not key.endswith("name"), key)):
        if old.get(key) != new.get(key):
            yield key, in_yaml(old.get(key)), in_yaml(new.get(key))


def flatten(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested dictionaries as one, with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
