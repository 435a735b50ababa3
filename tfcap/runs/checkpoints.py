"""Checkpoints of which it is known that they are whole.

    last/17/state.index, state.data-...   as tf.train.Checkpoint writes them
    last/17/digests.json                  bytes and SHA-256 of each, format; is last

A checkpoint without digests was never finished, and is not looked at. One that no
longer fits them is torn: the one before it is taken. One of a newer version is whole,
and nothing is taken in its place. There is no list of checkpoints
beside them that could say otherwise than what is there.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator

import tensorflow as tf

from records.errors import UserError
from records.format.record_set import TENSORFLOWS_OWN
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

STATE, DIGESTS = "state", "digests.json"
FORMAT = 1  # of a checkpoint


class Checkpoints:
    """The newest checkpoints of one kind, numbered in the order they were saved in.

    Args:
        folder: where they are; need not exist yet.
        keep: so many are kept, the older ones removed.
    """

    def __init__(self, folder: str, keep: int):
        self.folder, self.keep = folder, keep
        self.corrupt: set[int] = set()

    def save(self, checkpoint: tf.train.Checkpoint) -> str:
        """Writes a new checkpoint and removes those that are one too many.

        Returns:
            Its folder.

        Raises:
            UserError: it cannot be written (no space, no permission); those before it
                are as they were.
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
        whole = [n for n in self.finished() if n not in self.corrupt]
        self.remove_all_but(whole[-self.keep :])
        return folder

    def newest(self) -> str | None:
        """Folder of the newest whole checkpoint; None if none was ever finished.

        Raises:
            UserError: all are torn, or a newer version wrote it.
        """
        return next(self.whole(), None)

    def whole(self) -> Iterator[str]:
        """Folders of whole checkpoints, the newest first; checked one by one.

        Says on standard error which ones it passes over.

        Raises:
            UserError: all are torn, or a newer version wrote one.
        """
        problems, finished, found = [], self.finished(), False
        for number in sorted(set(self.there()) - set(finished)):
            print(f"{self.path(number)} was not finished: passed over", file=sys.stderr)
        for number in reversed(finished):
            problem = find_problem(self.path(number))
            if problem is None:
                for passed_over in problems:
                    print(f"{passed_over}; taking the one before it", file=sys.stderr)
                problems, found = [], True
                yield self.path(number)
                continue
            self.corrupt.add(number)
            problems.append(f"{self.path(number)} is torn: {problem}")
        if problems and not found:
            raise UserError(
                f"no checkpoint is left: {'; '.join(problems)}. Put these files back "
                "from a copy, or train again in another --workdir"
            )

    def finished(self) -> list[int]:
        """Numbers of those that were finished, oldest first."""
        return sorted(n for n, names in self.there().items() if DIGESTS in names)

    def there(self) -> dict[int, set[str]]:
        """Number -> names of its files."""
        there = defaultdict(set)
        try:
            names = list(file_sizes(self.folder, nested=True))
        except FileNotFoundError:
            return {}
        for name in names:
            number, _, file = name.partition("/")
            if number.isdigit():
                there[int(number)].add(file)
        return there

    def remove_all_but(self, kept: list[int]) -> None:
        for number in set(self.there()) - set(kept):
            # First its digests: half removed it must not pass for torn.
            remove_if_there(os.path.join(self.path(number), DIGESTS))
            remove_directory(self.path(number))

    def path(self, number: int) -> str:
        return os.path.join(self.folder, str(number))


class NullCheckpoints:
    """In the place of `Checkpoints` in the workers that keep none."""

    def save(self, _) -> None:
        return None

    def newest(self) -> None:
        return None


def read(checkpoint: tf.train.Checkpoint, folder: str, partly: bool = False) -> None:
    """Sets a checkpoint's objects to the state in a folder.

    Args:
        partly: the state may hold more than these objects.

    Raises:
        UserError: they are not the objects whose state it is.
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
    """File name -> its bytes and SHA-256."""
    return {
        name: {"bytes": size, "sha256": file_digest(os.path.join(folder, name))}
        for name, size in file_sizes(folder).items()
        if name != DIGESTS
    }


def find_problem(folder: str) -> str | None:
    """What does not fit the digests of a checkpoint; None if all does.

    Raises:
        UserError: a newer version wrote it.
    """
    try:
        said, found = saved_digests(os.path.join(folder, DIGESTS)), digests(folder)
        for name, at_first in said.items():
            if name not in found:
                return f"{name} is missing"
            was, now = at_first["bytes"], found[name]["bytes"]
            if was != now:
                return f"{name} has {now} bytes, {was} were saved"
            if at_first["sha256"] != found[name]["sha256"]:
                return f"{name} has another SHA-256 than what was saved"
    except OSError as error:
        return f"cannot be read: {reason(error)}"
    except (ValueError, AttributeError, LookupError, TypeError, RecursionError):
        return f"{DIGESTS} is damaged"
    return None


def saved_digests(path: str) -> dict[str, dict[str, int | str]]:
    """What `digests` gave when a checkpoint was saved.

    Raises:
        UserError: a newer version wrote it.
        ValueError, AttributeError, LookupError: it is damaged.
    """
    said = json.loads(read_file(path))
    if "format" not in said:  # of before it was said
        said = {"format": FORMAT, "files": said}
    refuse_newer(said["format"], FORMAT, path)
    if said["format"] != FORMAT or not said["files"]:
        raise ValueError(said)
    return said["files"]


def in_words(error: Exception) -> str:
    """What an error says, without what TensorFlow says around it."""
    if isinstance(error, OSError):
        return reason(error)
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    first = TENSORFLOWS_OWN.sub("", text).partition("\n")[0]
    # Of "path; No space left on device" the path may be a temporary one.
    return first.rpartition("; ")[2].rstrip(".")
