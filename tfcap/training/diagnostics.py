"""Explains why a run failed: a damaged record, or photos without a finite loss.

Training keeps nothing for this; the records are read again.
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
    """Describes the first damaged record of these splits as `records verify` does."""
    for split in splits:
        for problems in shard_problems(records, split):
            # The place of the damage says more than a digest that does not match.
            problems.sort(key=lambda problem: problem.record is None)
            for problem in problems[:1]:
                path = os.path.join(records.directory, problem.file)
                number = "" if problem.record is None else f"record {problem.record}: "
                return f"{path}: {number}{problem.what}"
    return None


def shard_problems(records: RecordSet, split: str) -> Iterator[list[Issue]]:
    """Yields the issues of each shard."""
    infos, totals = records.manifest.shards[split], Totals()
    expected = CheckContext(records.manifest)
    for place, info in enumerate(infos):
        position = place, len(infos)
        check = ShardCheck(records.directory, info, position, expected, totals)
        yield list(check.problems())


def explain_not_finite(
    records: RecordSet, config: TrainingConfig, step: int, result: StepResult
) -> str:
    """Describes a step whose loss or gradient is not finite, and what to do.

    Args:
        records: what was trained on.
        config: of the run.
        step: global batches trained on before it, since the first epoch.
        result: of the step, as Python numbers.
    """
    steps_per_epoch = config.steps_per_epoch(records.manifest.photos("train"))
    epoch, number = divmod(step, steps_per_epoch)
    photos = photos_of_step(records, config, epoch, number)
    problem = (
        f"the loss is {result.loss / result.count:g}, the gradient norm "
        f"{result.gradient_norm:g} at step {step + 1} (epoch {epoch + 1}, step "
        f"{number + 1} of {steps_per_epoch}). Its photos: {listed(list(photos))}. "
    )
    culprits = [name for name, finite in photos.items() if not finite]
    if culprits:
        return problem + (
            f"Features that are not finite: {listed(culprits)}; see tfcap "
            f"verify {records.directory}, and build these records again."
        )
    other = " or another training.precision" * (config.precision == "mixed_float16")
    return problem + (
        "Lower training.schedule.rate or set training.clip_norm"
        f"{other}, in a new --workdir."
    )


def remedy_of_memory(config: TrainingConfig) -> str:
    """Lists settings that make a step fit into memory, the best first."""
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


def explain_out_of_memory(config: TrainingConfig, where: str) -> str:
    """Describes a step that does not fit into memory, and what to do."""
    return f"out of memory at {where}: {remedy_of_memory(config)}, in a new --workdir"


def explain_damage(problem: str, records: RecordSet, where: str, chief: bool) -> str:
    """Describes a record that could not be read, and what to do.

    Args:
        problem: as `find_damage` describes it.
        records: what was trained on.
        where: epoch and step.
        chief: whether this worker has saved its state.
    """
    state = "the state is saved" if chief else "the chief's last checkpoint stays"
    return (
        f"{problem}. Reading failed at {where}, and {state}: put the records right "
        f"(tfcap verify {records.directory}), then give the same command "
        "again"
    )


def explain_dev_loss(
    loss: float, records: RecordSet, step: int, last_saved: str | None
) -> str:
    """Describes a dev loss that is not finite, and what to do."""
    return (
        f"the dev loss is {loss} after step {step}; the last good state is "
        f"{last_saved}. Check whether features of the dev photos are finite: python -m "
        f"records verify {records.directory}"
    )


def photos_of_step(
    records: RecordSet, config: TrainingConfig, epoch: int, number: int
) -> dict[str, bool]:
    """Reads the photos of a global batch again.

    Args:
        records: what was trained on.
        config: of the run.
        epoch: of the batch, from 0.
        number: of the batch in its epoch, from 0.

    Returns:
        Photo id -> whether its features are finite.
    """
    skipped = number * config.global_batch
    order = PhotoOrder.of_epoch(records, "train", config, epoch, skipped)
    paths, fetch = records.shard_paths("train"), records.fetcher("train")
    photos = order.read(paths, config.shuffle_photos, fetch)
    batch = photos.take(config.global_batch).as_numpy_iterator()
    decoded = [schema.decode(photo, records.manifest.features) for photo in batch]
    return {r.photo_id: bool(np.isfinite(r.features).all()) for r in decoded}


def listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
