"""Averages a run's checkpoints into a new work directory.

The average can be scored, exported, taken as a start (`tfcap train --init`) and made
part of an ensemble like any other run, but not resumed.

Source: Vaswani et al., "Attention Is All You Need", 2017, section 6.1.
"""

import numpy as np
import tensorflow as tf

from records.errors import UserError
from records.storage.base import temporary_name
from records.storage.files import is_empty, remove_directory
from records.storage.gfile import check_scheme
from records.wording import counted
from tfcap.models import build_model
from tfcap.models.base import CaptioningModel
from tfcap.runs import checkpoints
from tfcap.runs.average_file import FILE_NAME as AVERAGE
from tfcap.runs.average_file import Average, Kind
from tfcap.runs.workdir import Progress, Workdir


def average(run: Workdir, count: int, kind: Kind, output: str) -> Average:
    """Writes a work directory whose best state is the mean of a run's checkpoints.

    Two checkpoints of the same step count as one. The work directory appears whole or
    not at all.

    Args:
        run: whose checkpoints are averaged.
        count: number of checkpoints.
        kind: `last` or `best`.
        output: the new work directory.

    Raises:
        UserError: the run has fewer checkpoints, or `output` is not empty.
    """
    check_scheme(output)
    if not is_empty(output):
        raise UserError(f"{output} is not empty; name another --output")
    taken = newest_states(run, count, kind)
    model = build_model(run.config, run.manifest, run.vocabulary, restored=True)
    progress = Progress()
    set_to_mean(model, progress, list(taken.values()))
    about = Average(run=run.path, kind=kind, steps=tuple(sorted(taken)))
    state = tf.train.Checkpoint(model=model, progress=progress)
    unfinished = temporary_name(output.rstrip("/"))
    try:
        write(
            Workdir(unfinished, run.config, run.manifest, run.vocabulary), state, about
        )
        remove_directory(output)  # it is empty
        tf.io.gfile.rename(unfinished, output)
    except (OSError, tf.errors.OpError) as error:
        problem = checkpoints.in_words(error)
        raise UserError(f"cannot write {output}: {problem}") from None
    finally:
        remove_directory(unfinished)
    return about


def write(mean: Workdir, state: tf.train.Checkpoint, about: Average) -> None:
    _, best = mean.last_and_best()
    best.save(state)
    about.save(mean.folder(AVERAGE))
    mean.write()


def newest_states(run: Workdir, count: int, kind: Kind) -> dict[int, str]:
    """Returns steps and directory of the `count` newest states, the newest first."""
    last, best = run.last_and_best()
    store = last if kind == "last" else best
    taken: dict[int, str] = {}
    for folder in store.valid_checkpoints():
        taken.setdefault(steps_of(run, folder), folder)
        if len(taken) == count:
            return taken
    raise UserError(
        f"{store.folder} holds {counted(len(taken), 'checkpoint')} to average, not "
        f"{count}. Train with --set training.keep_checkpoints={count}, or average fewer"
    )


def steps_of(run: Workdir, folder: str) -> int:
    progress = Progress()
    checkpoints.read(tf.train.Checkpoint(progress=progress), folder, partly=True)
    in_epoch = run.config.training.steps_per_epoch(run.manifest.photos("train"))
    return int(progress.epoch) * in_epoch + int(progress.step_in_epoch)


def set_to_mean(model: CaptioningModel, progress: Progress, folders: list[str]) -> None:
    """Sets a model to the mean of states, and progress to that of the first state."""
    sums = [np.zeros(variable.shape) for variable in model.variables]
    for folder in reversed(folders):
        state = tf.train.Checkpoint(model=model, progress=progress)
        checkpoints.read(state, folder, partly=True)
        for total, variable in zip(sums, model.variables):
            total += variable.numpy()
    for total, variable in zip(sums, model.variables):
        variable.assign((total / len(folders)).astype(variable.dtype))
