"""Compiles native operations on the machine that runs them.

TensorFlow's C++ interface changes with each version and comes with its package. Each
file is therefore compiled once for the installed TensorFlow, at first use, and kept in
`$XDG_CACHE_HOME/tfcap` (`~/.cache/tfcap`). This takes about ten seconds and a C++17
compiler, `$CXX` or `c++`. Callers need a fallback: None is returned if compilation
fails.

Files in that directory run in this process. Only this user may write to it, links are
not followed, and a file whose SHA-256 has changed (a full disk, an incomplete copy) is
compiled again.

Source: https://www.tensorflow.org/guide/create_op
"""

import fcntl
import functools
import hashlib
import logging
import os
import platform
import shlex
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import tensorflow as tf

LOGGER = logging.getLogger(__name__)
VARIABLE = "TFCAP_COMPILE"
SECONDS = 600
# RuntimeError: the home directory cannot be determined.
FAILURES = (OSError, subprocess.SubprocessError, tf.errors.OpError, RuntimeError)


def operations(source: Path, *options: str) -> ModuleType | None:
    """Returns the operations that a C++ file registers, as Python functions.

    Args:
        source: the C++ file.
        options: for the compiler, besides those of TensorFlow.

    Returns:
        None if they cannot be compiled or loaded; a warning says why, once. None
        as well if `TFCAP_COMPILE=0` is in the environment.
    """
    return None if os.environ.get(VARIABLE) == "0" else load(source, *options)


@functools.cache
def load(source: Path, *options: str) -> ModuleType | None:
    try:
        return tf.load_op_library(str(library(source, *options)))
    except FAILURES as error:
        LOGGER.warning(
            "%s is not compiled: %s. TensorFlow's own operations do the same, slower; "
            "%s=0 chooses them",
            source.name,
            reason(error),
            VARIABLE,
        )
        return None


def library(source: Path, *options: str) -> Path:
    """Returns the path of the compiled file; compiles it if necessary.

    Args:
        source: the C++ file; may include headers beside it.
        options: for the compiler, besides those of TensorFlow.

    Raises:
        OSError: no compiler, no directory to write to, or others can write to it.
        RuntimeError: `$CXX` is no command, or there is no home directory.
        SubprocessError: the compiler failed.
    """
    command = [
        *compiler(),
        *["-O2", "-shared", "-fPIC", "-w", *options],
        *tf.sysconfig.get_compile_flags(),
    ]
    path = private_folder() / f"{source.stem}-{identity(source, command)}.so"
    with locked(path.with_suffix(".so.lock")):  # others wait, and find it there
        if not is_whole(path):
            LOGGER.info(
                "compiling %s, once for this TensorFlow; about half a minute",
                source.name,
            )
            compile_to(path, [*command, str(source)])
    return path


def identity(source: Path, command: list[str]) -> str:
    """Returns a hexadecimal digest of everything that the compiled file depends on."""
    # Machines of several kinds may share a home directory.
    settings = [tf.__version__, processor(), *platform.libc_ver(), *command]
    files = [source, *sorted(source.parent.glob("*.h"))]
    contents = [*(file.read_bytes() for file in files), *map(str.encode, settings)]
    return hashlib.sha256(b"\0".join(contents)).hexdigest()[:16]


def private_folder() -> Path:
    """Returns the directory of compiled files; makes it for this user only.

    Raises:
        PermissionError: it is a link, another user's, or others can write to it.
    """
    folder = cache_directory()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    problem = find_distrust(folder)
    if problem:
        raise PermissionError(
            f"{folder} holds libraries that would be loaded, and {problem}; remove it, "
            "or set XDG_CACHE_HOME to a directory of your own"
        )
    return folder


def cache_directory() -> Path:
    """Returns the directory of compiled files, which need not exist."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfcap"


def find_distrust(path: Path) -> str | None:
    """Describes why another user may have written to a path; None if none can have."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return "is a symbolic link"
    if status.st_uid != os.geteuid():
        return f"belongs to another user (uid {status.st_uid})"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others can write to it (mode {stat.S_IMODE(status.st_mode):o})"
    return None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def is_whole(path: Path) -> bool:
    """Returns whether a compiled file exists, is this user's and is unchanged.

    Loading a truncated library can end the process (SIGBUS) instead of raising.
    """
    try:
        if find_distrust(path):
            return False
        return digest_file(path).read_text() == digest_of(path)
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def compile_to(path: Path, command: list[str]) -> None:
    """Compiles to a temporary name, then renames; the digest is written last."""
    unfinished = path.with_suffix(".unfinished")
    linked = tf.sysconfig.get_link_flags()
    for stale in (unfinished, path, digest_file(path)):
        stale.unlink(missing_ok=True)
    command = [*command, "-o", str(unfinished), *linked]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)
    unfinished.chmod(0o700)
    unfinished.rename(path)
    digest_file(path).write_text(digest_of(path))


def digest_file(path: Path) -> Path:
    return path.with_suffix(".sha256")


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def compiler() -> list[str]:
    """Returns the command that compiles, `$CXX` or `c++`.

    Raises:
        RuntimeError: `$CXX` has an unmatched quotation mark.
    """
    command = os.environ.get("CXX", "")
    try:
        return shlex.split(command) or ["c++"]
    except ValueError as error:
        raise RuntimeError(f"CXX={command!r} is no command ({error})") from None


def processor() -> str:
    """Describes this machine's processor; compiled files may not run on others."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    features = {
        line for line in lines if line.startswith(("model name", "flags", "Feat"))
    }
    return "\n".join([platform.machine(), *sorted(features)])


def reason(error: Exception) -> str:
    """Returns the reason of a failure in one line."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = error.stderr.splitlines()
        errors = [line for line in lines if "error" in line]
        return (errors or lines or [str(error)])[0]
    if isinstance(error, FileNotFoundError) and not os.path.dirname(error.filename):
        return f"there is no C++ compiler {error.filename!r}"
    return str(error)
