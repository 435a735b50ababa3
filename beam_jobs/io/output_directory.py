"""Claims, resumes and cleans up the directory that a job writes to.

    shards ...       each under its own name only when it is whole
    .build/started   the format of these files, for a job that resumes
    .build/*.json    a report of each finished shard, removed when the job has ended
    .build/text/     text between the job's steps (`spill`), removed then too
    .build/lock      held while a job runs: a second one on this output is refused
    rejects.jsonl    one line per rejected input, as far as the job has got
    (last file)      written last: with it the output is complete

A job that is started again finds the reports, and writes no shard again that would have
the same bytes.
"""

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from pydantic import ValidationError

from beam_jobs.io.sorting import sorted_lines
from records.errors import UserError
from records.format import rejects
from records.format.manifest import BUILD_FOLDER
from records.format.rejects import Reject
from records.format.versions import refuse_newer
from records.frozen_model import FrozenModel
from records.storage.base import is_temporary
from records.storage.files import (
    exists,
    file_size,
    file_sizes,
    is_empty,
    make_directory,
    named_errors,
    new_file,
    read_file,
    reason,
    remove_directory,
    remove_if_there,
    write_atomically,
)
from records.storage.locks import locked

REPORTS = BUILD_FOLDER
STARTED = "started"
FORMAT = 1


class Report(FrozenModel):
    """The contents of a finished shard, and its rejected photos.

    Attributes:
        plan: digest of all that decides the shard's bytes.
        size: of the shard, in bytes.
        rejects: photos that could not be read or decoded.
    """

    plan: str
    size: int
    rejects: list[Reject]

    @property
    def photos_written(self) -> int:
        raise NotImplementedError

    def is_final(self) -> bool:
        """Returns False if another try at the shard may read more photos."""
        return True


AnyReport = TypeVar("AnyReport", bound=Report)


@contextmanager
def claim(output: str, last_file: str, overwrite: bool) -> Iterator[None]:
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
    """Makes the directory; refuses, resumes or replaces its contents.

    The rejects of an earlier job are removed, so that the file lists only this job's.

    Raises:
        UserError: it is complete or holds other files, and `overwrite` is False.
    """
    if overwrite:
        # The last file goes first: from here on nothing is complete.
        remove_if_there(os.path.join(output, last_file))
        remove_each_report(output)
        remove_if_there(os.path.join(output, REPORTS, STARTED))
    else:
        refuse_if_taken(output, last_file)
    make_reports_folder(output)
    remove_text(output)
    write_rejects(output, [])


def make_reports_folder(output: str) -> None:
    reports = os.path.join(output, REPORTS)
    started = os.path.join(reports, STARTED)
    try:
        make_directory(reports)
        if not exists(started):
            content = json.dumps({"format": FORMAT}) + "\n"
            write_atomically(started, content.encode())
    except OSError as error:
        raise UserError(f"--output: cannot make {output}: {reason(error)}") from None


def refuse_if_taken(output: str, last_file: str) -> None:
    last, reports = os.path.join(output, last_file), os.path.join(output, REPORTS)
    refuse_newer_job(os.path.join(reports, STARTED))
    if exists(last):
        raise UserError(
            f"--output: {output} already holds a finished job's output; choose another "
            "directory, or add --overwrite to replace it"
        )
    if not exists(reports) and not is_empty(output):
        raise UserError(
            f"--output: {output} is not an empty directory, and not an interrupted "
            "job's output; choose another, or add --overwrite"
        )


def refuse_newer_job(started: str) -> None:
    """Raises UserError if a newer version started the job; its shards stay."""
    try:
        version = json.loads(read_file(started))["format"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return  # no file, or one without the format
    refuse_newer(version, FORMAT, started, ", or add --overwrite to begin again")


def text_folder(output: str) -> str:
    return os.path.join(output, REPORTS, "text")


def remove_text(output: str) -> None:
    """Removes the text between steps, of this job or of an earlier one.

    Raises:
        UserError: it cannot be removed, perhaps because a worker still writes there.
    """
    folder = text_folder(output)
    try:
        remove_directory(folder)
    except OSError as error:
        raise UserError(
            f"cannot remove {folder}: {reason(error)}; if a worker of an earlier job "
            "still writes there, try again when it has ended"
        ) from None


def report_path(output: str, shard: str) -> str:
    return os.path.join(output, REPORTS, os.path.splitext(shard)[0] + ".json")


def save_report(output: str, shard: str, report: Report) -> None:
    path = report_path(output, shard)
    write_atomically(path, report.model_dump_json().encode())


def finished_report(
    kind: type[AnyReport], output: str, shard: str, plan: str
) -> AnyReport | None:
    """Returns the report of a shard that an interrupted job finished, if it still fits.

    A report that does not fit is removed before the shard is written again, so that an
    interruption between the two does not leave it beside the new shard.
    """
    path = report_path(output, shard)
    # A report is missing, damaged or of another version, or its shard is missing.
    with suppress(FileNotFoundError, ValidationError):
        report = kind.model_validate_json(read_file(path))
        size = file_size(os.path.join(output, shard))
        if (report.plan, report.size) == (plan, size):
            return report
    remove_if_there(path)
    return None


def write_rejects(output: str, rejected: Iterable[Reject]) -> None:
    """Writes `rejects.jsonl`, sorted, so that its bytes do not depend on the order."""
    path = os.path.join(output, rejects.FILE_NAME)
    with named_errors("write", path), new_file(path) as file:
        for line in sorted_lines(map(rejects.format_line, rejected)):
            file.write(line.encode())
        file.finish()


def remove_leftovers(output: str, shards: re.Pattern, kept: Collection[str]) -> None:
    """Removes shards of an interrupted job of another size, and temporary files."""
    for name in file_sizes(output):
        stale = shards.fullmatch(name) and name not in kept
        if stale or is_temporary(name):
            remove_if_there(os.path.join(output, name))


def remove_each_report(output: str) -> None:
    """Removes the reports; a lock beside them stays."""
    folder = os.path.join(output, REPORTS)
    for name in file_sizes(folder) if exists(folder) else ():
        if name.endswith(".json"):
            remove_if_there(os.path.join(folder, name))


def remove_reports(output: str) -> None:
    remove_directory(os.path.join(output, REPORTS))
