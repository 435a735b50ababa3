"""Finds the SavedModel in the directory that a user names.

DIR/1/saved_model.pb           a version directory, as TensorFlow Serving requires. The
                               highest number is used; DIR may be the SavedModel itself
DIR/1/assets.extra/tfcap.json  version of the format; older exports have none
"""

import json
import os
import shlex
from collections.abc import Iterator

import tensorflow as tf

from records.errors import UserError
from records.format.versions import refuse_newer
from records.storage.base import is_remote
from records.storage.files import check_utf8, exists, read_file, reason
from records.wording import in_yaml

FORMAT = 1
FORMAT_FILE = os.path.join("assets.extra", "tfcap.json")
RUN_FILE = "config.yaml"  # in the work directory of a run, which is no export
SEED = "seed-"  # with a number, the directory of one of several runs
LOOKED_AT = 100  # directories in which runs or exports are searched
SHOWN = 5  # directories that a message names
ADVICE = "export one with: tfcap export --workdir DIR --output DIR"


def find_model(directory: str) -> tuple[str, str]:
    """Returns the path of the SavedModel to load, and its version.

    Raises:
        UserError: there is none; the message says what is there instead.
    """
    check_utf8(directory)
    if version := newest_version(directory):
        return version
    if exists(os.path.join(directory, RUN_FILE)):
        raise UserError(
            f"{directory} is the work directory of a run, and not its export; export "
            f"it with: {export_command(directory)}"
        )
    raise UserError(
        f"no SavedModel in {directory} (looked for saved_model.pb there and in "
        f"numbered directories such as {os.path.join(directory, '1')}); "
        f"{advise(directory)}"
    )


def advise(directory: str) -> str:
    """Returns what to do about a directory, by the runs and exports inside of it."""
    # TensorFlow refuses paths that are not UTF-8; they are not printable.
    names = sorted(filter(str.isprintable, list_names(directory)))[:LOOKED_AT]
    folders = [os.path.join(directory, name) for name in names]
    if runs := [path for path in folders if exists(os.path.join(path, RUN_FILE))]:
        ways = " or ".join(ways_to_export(directory, runs))
        return f"it holds runs ({named(runs)}), which are not exported: {ways}"
    if exports := [path for path in folders if newest_version(path)]:
        first = shlex.quote(exports[0])
        return f"it holds exports ({named(exports)}); name one: --model {first}"
    return ADVICE


def newest_version(directory: str) -> tuple[str, str] | None:
    """Returns path and number of the newest SavedModel of an export, if it is one."""
    if tf.saved_model.contains_saved_model(directory):
        return directory, "1"
    versions = [name for name in list_names(directory) if name.isdecimal()]
    for version in sorted(versions, key=int, reverse=True):
        path = os.path.join(directory, version)
        if tf.saved_model.contains_saved_model(path):
            return path, version
    return None


def list_names(directory: str) -> list[str]:
    """Returns the names in a directory; none if there is no directory."""
    if not tf.io.gfile.isdir(directory):
        return []
    # TensorFlow lists no directory that holds a name which is not UTF-8.
    names = (tf.io.gfile if is_remote(directory) else os).listdir(directory)
    # Object stores list a folder's name with a slash at its end.
    return [name.rstrip("/") for name in names]


def named(paths: list[str]) -> str:
    """Returns the names of some directories, the first of many."""
    names = [os.path.basename(path) for path in paths[:SHOWN]]
    return ", ".join(names) + " and others" * (len(paths) > SHOWN)


def ways_to_export(directory: str, runs: list[str]) -> Iterator[str]:
    """Yields commands; runs of several seeds can be exported as one model."""
    if all(os.path.basename(run).startswith(SEED) for run in runs):
        yield f"{export_command(directory)} (all as one model)"
    yield f"{export_command(runs[0])} (one of them)"


def export_command(workdir: str) -> str:
    """Returns the command that exports a run, to a directory of its name."""
    name = os.path.basename(workdir.rstrip("/")) or "run"
    command = ["tfcap", "export", "--workdir", workdir, "--output", f"export/{name}"]
    return shlex.join(command)


def check_format(path: str) -> None:
    """Raises UserError if a newer tfcap wrote the SavedModel, or it is damaged."""
    file = os.path.join(path, FORMAT_FILE)
    try:
        version = json.loads(read_file(file))["format"]
    except FileNotFoundError:
        return  # an older export
    except OSError as error:
        raise UserError(f"cannot read {file}: {reason(error)}; {ADVICE}") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise UserError(f"{file} is damaged: it says no format; {ADVICE}") from None
    refuse_newer(version, FORMAT, file, f", or {ADVICE}")
    if version != FORMAT:
        raise UserError(
            f"{file} is damaged: its format is {in_yaml(version)}; {ADVICE}"
        )
