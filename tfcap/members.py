"""Runs whose models write captions together: an ensemble, or a single one."""

import os
from collections.abc import Sequence
from typing import Any

from records.errors import UserError
from records.manifest import Manifest
from tfcap.decoding.ensemble import Ensemble, check_same_vocabulary
from tfcap.models.base import Captioner
from tfcap.workdir import Workdir, encoder_name


def open_members(paths: Sequence[str]) -> list[Workdir]:
    """Opens work directories whose models are to write captions together.

    Raises:
        UserError: one is none, or their models cannot read the same photos or do not
            write the same tokens; says what is not the same.
    """
    members = [Workdir.open(path) for path in paths]
    check_same_vocabulary({run.path: run.vocabulary for run in members})
    for other in members[1:]:
        check_same_input(members[0], other)
    return members


def check_same_input(one: Workdir, other: Workdir) -> None:
    """Raises UserError unless both read the same features and make the same tokens."""
    for name, told in (("tokenizer", tokenizer_of), ("encoder", features_of)):
        ours, theirs = told(one.manifest), told(other.manifest)
        if ours != theirs:
            raise UserError(
                f"an ensemble needs models of one {name}: {one.path} has {ours}, "
                f"{other.path} has {theirs}. Train them on the same records"
            )


def tokenizer_of(manifest: Manifest) -> str:
    settings = manifest.tokenizer.model_dump()
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def features_of(manifest: Manifest) -> str:
    shape = " x ".join(map(str, manifest.features.shape))
    return f"{encoder_name(manifest)} with features {shape}"


def results_folder(paths: Sequence[str], split: str) -> str:
    """Where scores are kept; an ensemble's do not take the place of its first run's.

    Args:
        paths: of the runs.
    """
    together = ["ensemble"] if len(paths) > 1 else []
    return os.path.join(paths[0], "evaluation", *together, split)


def restore(members: Sequence[Workdir]) -> tuple[Captioner | Ensemble, dict[str, Any]]:
    """The best model of a run, or those of several as one.

    Returns:
        The model, and what a reader must know of it: lists with a value for each run.

    Raises:
        UserError: a run has no finished epoch, or its state is damaged.
    """
    models, epochs = zip(*(run.restore_best() for run in members))
    about = {
        "models": [run.path for run in members],
        "checkpoints": [run.about_best(epoch) for run, epoch in zip(members, epochs)],
        "seeds": [run.config.training.seed for run in members],
    }
    return (models[0] if len(models) == 1 else Ensemble(models)), about
