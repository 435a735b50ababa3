"""Why a run broke off: which record is damaged, which photos gave no finite loss.

Nothing is kept for this while training: the answer is read anew from the records.
"""

import os
from collections.abc import Iterator, Sequence

import numpy as np

from records.format import schema
from records.format.record_set import RecordSet
from records.verification.shard_checks import CheckContext, Issue, ShardCheck, Totals
from tfcap.config.training import TrainingConfig
from tfcap.data.shuffling import PhotoOrder
from tfcap.training.train_step import StepResult

SHOWN = 64


def find_damage(records: RecordSet, splits: Sequence[str]) -> str | None:
    """The first damaged record of these splits, in the words of `records verify`."""
    for split in splits:
        for problems in shard_problems(records, split):
            # That its digest is another says less than where the damage is.
            problems.sort(key=lambda problem: problem.record is None)
            for problem in problems[:1]:
                path = os.path.join(records.directory, problem.file)
                number = "" if problem.record is None else f"record {problem.record}: "
                return f"{path}: {number}{problem.what}"
    return None


def shard_problems(records: RecordSet, split: str) -> Iterator[list[Issue]]:
    """Shard by shard, what does not fit."""
    held, found = records.manifest.shards[split], Totals()
    expected = CheckContext(records.manifest)
    for place, info in enumerate(held):
        position = place, len(held)
        check = ShardCheck(records.directory, info, position, expected, found)
        yield list(check.problems())


def explain_not_finite(
    records: RecordSet, config: TrainingConfig, step: int, result: StepResult
) -> str:
    """What a person needs to know of a step whose loss or gradient is not finite.

    Args:
        step: global batches trained on before it, since the first epoch.
        result: of the step, as numbers.
    """
    steps_per_epoch = config.steps_per_epoch(records.manifest.photos("train"))
    epoch, number = divmod(step, steps_per_epoch)
    photos = photos_of_step(records, config, epoch, number)
    told = (
        f"the loss is {result.loss / result.count:g}, the gradient norm "
        f"{result.gradient_norm:g} at step {step + 1} (epoch {epoch + 1}, step "
        f"{number + 1} of {steps_per_epoch}). Its photos: {listed(list(photos))}. "
    )
    culprits = [name for name, finite in photos.items() if not finite]
    if culprits:
        return told + (
            f"Features that are not finite: {listed(culprits)}; see python -m records "
            f"verify {records.directory}, and build these records again."
        )
    other = " or another training.precision" * (config.precision == "mixed_float16")
    return told + (
        "Lower training.schedule.rate or set training.clip_norm"
        f"{other}, in a new --workdir."
    )


def remedy_of_memory(config: TrainingConfig) -> str:
    """Returns what to set where a step does not fit into memory, the best first."""
    remedies = []
    if config.expansion == "prefix":
        remedies.append(
            "set training.expansion=causal, the same objective with a tenth of the rows"
        )
    if config.self_critical:
        remedies.append("lower training.self_critical.samples")
    remedies.append("lower training.global_batch")
    if not config.jit_compile:  # which takes no parts of a batch
        remedies.append(
            f"cut it into parts by training.accumulate={2 * config.accumulate}"
        )
    return "; or ".join(remedies)


def photos_of_step(
    records: RecordSet, config: TrainingConfig, epoch: int, number: int
) -> dict[str, bool]:
    """Photo id -> whether its features are finite, of one global batch.

    Args:
        epoch, number: of the batch, both from 0.
    """
    skipped = number * config.global_batch
    order = PhotoOrder.of_epoch(records, "train", config, epoch, skipped)
    photos = order.read(records.shard_paths("train"), config.shuffle_photos)
    here = photos.take(config.global_batch)
    spec = records.manifest.features
    read = [schema.decode(photo, spec) for photo in here.as_numpy_iterator()]
    return {r.photo_id: bool(np.isfinite(r.features).all()) for r in read}


def listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
