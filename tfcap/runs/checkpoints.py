"""Checkpoints whose integrity is checked before they are read.

    last/17/state.index, state.data-...   as tf.train.Checkpoint writes them
    last/17/digests.json                  size and SHA-256 of each; written last

A checkpoint without digests was not finished and is ignored. One that does not match
its digests is corrupt, and the one before it is read instead. One of a newer version is
an error. There is no index of checkpoints that could disagree with the files.
"""

import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterator

import tensorflow as tf

from records.errors import UserError
from records.format.versions import refuse_newer
from records.storage.files import (
    file_digest,
    file_sizes,
    make_directory,
    read_file,
    reason,
    remove_directory,
    remove_if_there,
    write_atomically,
)
from records.tensorflow_logging import without_operation

LOGGER = logging.getLogger(__name__)
STATE, DIGESTS = "state", "digests.json"
FORMAT = 1  # of a checkpoint


class Checkpoints:
    """The newest checkpoints of one kind, numbered in the order of saving.

    Args:
        folder: their directory; made at the first save.
        keep: number of checkpoints to keep; older ones are removed.
    """

    def __init__(self, folder: str, keep: int):
        self.folder, self.keep = folder, keep
        self.corrupt: set[int] = set()

    def save(self, checkpoint: tf.train.Checkpoint) -> str:
        """Writes a new checkpoint and removes the oldest ones beyond `keep`.

        Returns:
            The directory of the checkpoint.

        Raises:
            UserError: it cannot be written (no space, no permission). Earlier
                checkpoints are unchanged.
        """
        self.remove_all_but(self.finished())
        folder = self.path(max(self.finished(), default=0) + 1)
        try:
            make_directory(folder)
            checkpoint.write(os.path.join(folder, STATE))
            content = {"format": FORMAT, "files": digests(folder)}
            text = json.dumps(content, indent=1) + "\n"
            write_atomically(os.path.join(folder, DIGESTS), text.encode())
        except (OSError, tf.errors.OpError, UserError) as error:
            remove_directory(folder)
            raise UserError(
                f"cannot save a checkpoint in {self.folder}: {in_words(error)}. What "
                "was saved before is kept: make room, then give the same command again"
            ) from None
        valid = [n for n in self.finished() if n not in self.corrupt]
        self.remove_all_but(valid[-self.keep :])
        return folder

    def newest(self) -> str | None:
        """Returns the newest valid checkpoint; None if none was ever finished.

        Raises:
            UserError: all are corrupt, or a newer version wrote it.
        """
        return next(self.valid_checkpoints(), None)

    def valid_checkpoints(self) -> Iterator[str]:
        """Yields the directories of valid checkpoints, the newest first.

        Each is checked when it is its turn. Warnings name those that are skipped.

        Raises:
            UserError: all are corrupt, or a newer version wrote one.
        """
        problems: list[str] = []
        finished, any_valid = self.finished(), False
        for number in sorted(set(self.files_by_number()) - set(finished)):
            LOGGER.warning("%s was not finished: passed over", self.path(number))
        for number in reversed(finished):
            problem = find_problem(self.path(number))
            if problem is None:
                for passed_over in problems:
                    LOGGER.warning("%s; taking the one before it", passed_over)
                problems, any_valid = [], True
                yield self.path(number)
                continue
            self.corrupt.add(number)
            problems.append(f"{self.path(number)} is torn: {problem}")
        if problems and not any_valid:
            raise UserError(
                f"no checkpoint is left: {'; '.join(problems)}. Put these files back "
                "from a copy, or train again in another --workdir"
            )

    def finished(self) -> list[int]:
        """Returns the numbers of finished checkpoints, the oldest first."""
        return sorted(
            n for n, names in self.files_by_number().items() if DIGESTS in names
        )

    def files_by_number(self) -> dict[int, set[str]]:
        """Returns the names of the files of each number."""
        files = defaultdict(set)
        try:
            names = list(file_sizes(self.folder, nested=True))
        except FileNotFoundError:
            return {}
        for name in names:
            number, _, file = name.partition("/")
            if number.isdigit():
                files[int(number)].add(file)
        return files

    def remove_all_but(self, kept: list[int]) -> None:
        for number in set(self.files_by_number()) - set(kept):
            # Its digests first: a checkpoint removed by half must not count as corrupt.
            remove_if_there(os.path.join(self.path(number), DIGESTS))
            remove_directory(self.path(number))

    def path(self, number: int) -> str:
        return os.path.join(self.folder, str(number))


def read(checkpoint: tf.train.Checkpoint, folder: str, partly: bool = False) -> None:
    """Restores a checkpoint's objects.

    Args:
        checkpoint: its objects are restored.
        folder: directory of a valid checkpoint.
        partly: the saved state may have more objects than these.

    Raises:
        UserError: the saved state is not that of these objects.
    """
    try:
        status = checkpoint.read(os.path.join(folder, STATE))
        if partly:
            status.expect_partial()
        status.assert_existing_objects_matched()
    except (AssertionError, ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"{folder} holds the state of another model than config.yaml describes: "
            f"{in_words(error)}. Put config.yaml back as it was when training began, "
            "and use the version of tfcap that it was trained with"
        ) from None


def digests(folder: str) -> dict[str, dict[str, int | str]]:
    """Returns size in bytes and SHA-256 of each file in a directory."""
    return {
        name: {"bytes": size, "sha256": file_digest(os.path.join(folder, name))}
        for name, size in file_sizes(folder).items()
        if name != DIGESTS
    }


def find_problem(folder: str) -> str | None:
    """Describes how a checkpoint differs from its digests; None if it does not.

    Raises:
        UserError: a newer version wrote it.
    """
    try:
        files = digests(folder)
        for name, saved in saved_digests(os.path.join(folder, DIGESTS)).items():
            if name not in files:
                return f"{name} is missing"
            if saved["bytes"] != files[name]["bytes"]:
                size, saved_size = files[name]["bytes"], saved["bytes"]
                return f"{name} has {size} bytes, {saved_size} were saved"
            if saved["sha256"] != files[name]["sha256"]:
                return f"{name} has another SHA-256 than what was saved"
    except OSError as error:
        return f"cannot be read: {reason(error)}"
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
        return f"{DIGESTS} is damaged"
    return None


def saved_digests(path: str) -> dict[str, dict[str, int | str]]:
    """Reads the digests of a checkpoint, as they were when it was saved.

    Raises:
        UserError: a newer version wrote it.
        ValueError, AttributeError, LookupError: it is damaged.
    """
    content = json.loads(read_file(path))
    if "format" not in content:  # written before files had a format
        content = {"format": FORMAT, "files": content}
    refuse_newer(content["format"], FORMAT, path)
    if content["format"] != FORMAT or not content["files"]:
        raise ValueError(content)
    return content["files"]


def in_words(error: Exception) -> str:
    """Returns the message of an error without TensorFlow's additions."""
    if isinstance(error, OSError):
        return reason(error)
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    first = without_operation(text).partition("\n")[0]
    # Of "path; No space left on device" the path may be a temporary one.
    return first.rpartition("; ")[2].rstrip(".")
