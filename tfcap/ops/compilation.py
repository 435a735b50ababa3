"""Operations of our own in C++, compiled on the machine that runs them.

TensorFlow's C++ interface changes with each version and comes with its package, so each
file is compiled once for the TensorFlow that is installed, when it is first wanted, and
kept in `$XDG_CACHE_HOME/tfcap` (`~/.cache/tfcap`). It takes ten seconds or so and a
C++17 compiler, `$CXX` or `c++`. Callers need a fallback: None is returned where the
compilation fails.

What lies in that folder runs in this process. So the folder must be this user's and
nobody else's to write to, links are not followed, and a file that no longer has the
SHA-256 it was compiled with (a full disk, a torn copy) is compiled again.

Source: https://www.tensorflow.org/guide/create_op
"""

import fcntl
import functools
import hashlib
import os
import platform
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import tensorflow as tf

VARIABLE = "TFCAP_COMPILE"
SECONDS = 600
# RuntimeError: nobody's home directory is to be found.
FAILURES = (OSError, subprocess.SubprocessError, tf.errors.OpError, RuntimeError)


def operations(source: Path, *options: str) -> ModuleType | None:
    """The operations that a C++ file registers, as Python functions.

    Args:
        options: for the compiler, besides TensorFlow's own.

    Returns:
        None where they cannot be had; standard error says why, once. None as well
        where the environment says `TFCAP_COMPILE=0`.
    """
    return None if os.environ.get(VARIABLE) == "0" else load(source, *options)


@functools.cache
def load(source: Path, *options: str) -> ModuleType | None:
    try:
        return tf.load_op_library(str(library(source, *options)))
    except FAILURES as error:
        print(
            f"{source.name} is not compiled: {reason(error)}. TensorFlow's own "
            f"operations do the same, slower; {VARIABLE}=0 chooses them",
            file=sys.stderr,
        )
        return None


def library(source: Path, *options: str) -> Path:
    """Returns the path of the compiled file; compiles it unless it is there, whole.

    Args:
        source: may include headers beside it.

    Raises:
        OSError, RuntimeError: no compiler, no place to write to, or one that others
            can write to.
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
            print(f"compiling {source.name}, once for this TensorFlow", file=sys.stderr)
            compile_to(path, [*command, str(source)])
    return path


def identity(source: Path, command: list[str]) -> str:
    """Returns a digest of all that decides what is compiled, in hexadecimal."""
    # Machines of several kinds may share a home directory.
    described = [tf.__version__, processor(), *platform.libc_ver(), *command]
    parts = [source, *sorted(source.parent.glob("*.h"))]
    made_of = [*(part.read_bytes() for part in parts), *map(str.encode, described)]
    return hashlib.sha256(b"\0".join(made_of)).hexdigest()[:16]


def private_folder() -> Path:
    """Returns the folder of compiled files; makes it, for this user alone.

    Raises:
        PermissionError: it is a link, another user's, or others can write to it.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfcap"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    problem = find_distrust(folder)
    if problem:
        raise PermissionError(
            f"{folder} holds libraries that would be loaded, and {problem}; remove it, "
            "or set XDG_CACHE_HOME to a directory of your own"
        )
    return folder


def find_distrust(path: Path) -> str | None:
    """Says why what a path holds may be another user's work; None where it is not."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return "is a symbolic link"
    if found.st_uid != os.geteuid():
        return f"belongs to another user (uid {found.st_uid})"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"others can write to it (mode {stat.S_IMODE(found.st_mode):o})"
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
    """Tells whether a compiled file is there, this user's and as it was compiled.

    To load a torn library can end the process (SIGBUS) instead of raising.
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
    run([*command, "-o", str(unfinished), *linked])
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
        RuntimeError: a quotation mark in `$CXX` has no other.
    """
    given = os.environ.get("CXX", "")
    try:
        return shlex.split(given) or ["c++"]
    except ValueError as error:
        raise RuntimeError(f"CXX={given!r} is no command ({error})") from None


def processor() -> str:
    """What this machine's can do: what is compiled may serve no other."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    told = [line for line in lines if line.startswith(("model name", "flags", "Feat"))]
    return "\n".join([platform.machine(), *sorted(set(told))])


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=SECONDS)


def reason(error: Exception) -> str:
    """In one line."""
    if isinstance(error, subprocess.CalledProcessError):
        said = [line for line in error.stderr.splitlines() if "error" in line]
        return (said or error.stderr.splitlines() or [str(error)])[0]
    if isinstance(error, FileNotFoundError) and not os.path.dirname(error.filename):
        return f"there is no C++ compiler {error.filename!r}"
    return str(error)
