"""The folder a job writes to: taken over or refused, gone on with, tidied up.

    shards ...       each under its own name only when it is whole
    .build/*.json    a report beside each finished shard, gone when the job has ended
    .build/lock      held while a job runs: a second one on this output is refused
    rejects.jsonl    one line per input that did not make it
    (last file)      written last: with it the output is complete

A job started again finds the reports, and does not repeat a shard that would come out
the same.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import tensorflow as tf
from pydantic import BaseModel, ConfigDict, ValidationError

from beam_jobs.elements import Reject
from beam_jobs.locking import locked
from records import rejects
from records.errors import UserError
from records.files import remove_if_there, write_atomically

REPORTS = ".build"
TEMPORARY = re.compile(r"\..+\.tmp")


class Report(BaseModel):
    """What a finished shard holds, and what was left out of it.

    Attributes:
        plan: digest of all that decides the shard's bytes.
        size: of the shard, in bytes.
        rejects: photos that could not be read or decoded.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: str
    size: int
    rejects: list[Reject]


AnyReport = TypeVar("AnyReport", bound=Report)


@contextmanager
def prepared(output: str, last_file: str, overwrite: bool) -> Iterator[None]:
    """Prepares the directory, and keeps other jobs out of it while the body runs.

    Raises:
        UserError: as `prepare`, or another job is writing to it.
    """
    if not overwrite:
        refuse_if_taken(output, last_file)
    make_reports_folder(output)
    with locked(os.path.join(output, REPORTS), output):
        prepare(output, last_file, overwrite)  # the other job may have ended by now
        yield


def prepare(output: str, last_file: str, overwrite: bool) -> None:
    """Makes the directory; what is in it is refused, gone on with or replaced.

    Raises:
        UserError: it is complete or holds anything else, and not `overwrite`.
    """
    if overwrite:
        # The last file goes first: from here on nothing is complete.
        remove_if_there(os.path.join(output, last_file))
        remove_each_report(output)
    else:
        refuse_if_taken(output, last_file)
    make_reports_folder(output)


def make_reports_folder(output: str) -> None:
    try:
        tf.io.gfile.makedirs(os.path.join(output, REPORTS))
    except tf.errors.OpError as error:
        raise UserError(f"--output: cannot make {output}: {error.message}") from None


def refuse_if_taken(output: str, last_file: str) -> None:
    last, reports = os.path.join(output, last_file), os.path.join(output, REPORTS)
    if tf.io.gfile.exists(last):
        raise UserError(
            f"--output: {output} already holds a finished job's output; choose another "
            "directory, or add --overwrite to replace it"
        )
    if not tf.io.gfile.exists(reports) and not is_empty(output):
        raise UserError(
            f"--output: {output} is not an empty directory, and not an interrupted "
            "job's output; choose another, or add --overwrite"
        )


def is_empty(path: str) -> bool:
    if not tf.io.gfile.exists(path):
        return True
    return tf.io.gfile.isdir(path) and not tf.io.gfile.listdir(path)


def report_path(output: str, shard: str) -> str:
    return os.path.join(output, REPORTS, os.path.splitext(shard)[0] + ".json")


def save_report(output: str, shard: str, report: Report) -> None:
    path = report_path(output, shard)
    write_atomically(path, report.model_dump_json().encode())


def finished_report(
    kind: type[AnyReport], output: str, shard: str, plan: str
) -> AnyReport | None:
    """The report of a shard that an interrupted job finished, if it still fits.

    One that does not fit is removed before the shard is written anew: a job broken off
    between the two must not leave it beside the new shard.
    """
    report = load_report(kind, report_path(output, shard))
    path = os.path.join(output, shard)
    whole = report and tf.io.gfile.exists(path)
    if whole and tf.io.gfile.stat(path).length == report.size and report.plan == plan:
        return report
    remove_if_there(report_path(output, shard))
    return None


def load_report(kind: type[AnyReport], path: str) -> AnyReport | None:
    """A report; None where there is none, or one of another version."""
    if not tf.io.gfile.exists(path):
        return None
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return kind.model_validate_json(file.read())
    except ValidationError:
        return None


def write_rejects(output: str, rejected: Iterable[Reject]) -> None:
    lines = [json.dumps(reject._asdict(), ensure_ascii=False) for reject in rejected]
    content = "".join(line + "\n" for line in sorted(lines))
    write_atomically(os.path.join(output, rejects.FILE_NAME), content.encode())


def remove_leftovers(output: str, shards: re.Pattern, kept: Collection[str]) -> None:
    """Removes shards of an interrupted job of another size, and temporary files."""
    for name in tf.io.gfile.listdir(output):
        stale = shards.fullmatch(name) and name not in kept
        if stale or TEMPORARY.fullmatch(name):
            tf.io.gfile.remove(os.path.join(output, name))


def remove_each_report(output: str) -> None:
    """Removes the reports; a lock beside them stays."""
    folder = os.path.join(output, REPORTS)
    names = tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else []
    for name in names:
        if name.endswith(".json"):
            tf.io.gfile.remove(os.path.join(folder, name))


def remove_reports(output: str) -> None:
    path = os.path.join(output, REPORTS)
    if tf.io.gfile.exists(path):
        tf.io.gfile.rmtree(path)
