"""Opens runs whose models caption together as an ensemble, or a single run."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from records.errors import UserError
from records.format.record_set import RecordSet
from tfcap.data.features import FeatureSource
from tfcap.decoding.ensemble import Ensemble, check_same_vocabulary
from tfcap.encoders.trainable import TrainableEncoder
from tfcap.models.base import CaptioningModel
from tfcap.runs.workdir import Workdir, check_fits, difference_of_input, encoder_name

SCORES = "scores.json"  # file name in `results_folder`
REMEDIES = {
    "tokenizer": "Train them on the same records",
    "encoder": "Train them on the same records; or, for `tfcap evaluate`, name the "
    "records of each with a separate --records",
}


def open_members(paths: Sequence[str], one_encoder: bool = True) -> list[Workdir]:
    """Opens work directories whose models caption together.

    Args:
        paths: the work directories.
        one_encoder: all models must read the same features.

    Raises:
        UserError: one is no work directory, or the models differ in vocabulary,
            tokenizer or features. The message says in what.
    """
    members = [Workdir.open(path) for path in paths]
    check_same_vocabulary({run.path: run.vocabulary for run in members})
    for other in members[1:]:
        check_same("tokenizer", tokenizer_of, members[0], other)
        if one_encoder:
            check_same("encoder", features_of, members[0], other)
    return members


def check_same(
    name: str, describe: Callable[[Workdir], str], first: Workdir, other: Workdir
) -> None:
    ours, theirs = describe(first), describe(other)
    if ours != theirs:
        raise UserError(
            f"an ensemble needs models of one {name}: {first.path} has {ours}, "
            f"{other.path} has {theirs}. {REMEDIES[name]}"
        )


def match_records(run: Workdir, record_sets: Sequence[RecordSet]) -> int:
    """Returns the index of the record set that a run's model can read.

    Raises:
        UserError: it can read none of them.
    """
    for number, records in enumerate(record_sets):
        if not difference_of_input(run.manifest, records.manifest):
            return number
    check_fits(run, record_sets[0])
    raise AssertionError


def tokenizer_of(run: Workdir) -> str:
    settings = run.manifest.tokenizer.model_dump()
    return ", ".join(f"{key} {value}" for key, value in settings.items())


def features_of(run: Workdir) -> str:
    shape = " x ".join(map(str, run.manifest.features.shape))
    tuned = f", fine-tuned in {run.path}" if run.config.training.fine_tuning else ""
    return f"{encoder_name(run.manifest)} with features {shape}{tuned}"


def results_folder(paths: Sequence[str], split: str) -> str:
    """Returns the directory of the scores of a run, or of an ensemble of runs.

    The scores of an ensemble stand apart from those of its first run.

    Args:
        paths: work directories of the runs.
        split: the split that is scored.
    """
    together = ["ensemble"] if len(paths) > 1 else []
    return os.path.join(paths[0], "evaluation", *together, split)


def tuned_encoders(model: CaptioningModel | Ensemble) -> list[TrainableEncoder | None]:
    """Returns each member's encoder; None if it reads the records' features."""
    members = model.members if isinstance(model, Ensemble) else [model]
    return [member.encoder for member in members]


def feature_sources(
    model: CaptioningModel | Ensemble, read: Sequence[RecordSet]
) -> list[FeatureSource]:
    """Returns the source of each member's features.

    Args:
        model: one model, or an ensemble.
        read: the records of each member.
    """
    tuned = tuned_encoders(model)
    return [
        FeatureSource(records, encoder and encoder.frozen())
        for encoder, records in zip(tuned, read, strict=True)
    ]


def restore(
    members: Sequence[Workdir],
) -> tuple[CaptioningModel | Ensemble, dict[str, Any]]:
    """Restores the best model of a run, or those of several as an ensemble.

    Returns:
        The model, and facts about it: lists with a value for each run.

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
