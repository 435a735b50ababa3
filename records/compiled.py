"""Operations of our own in C++, compiled on the machine that runs them.

TensorFlow's C++ interface changes with each version and comes with its package, so each
file is compiled once for the TensorFlow that is installed, when it is first wanted, and
kept in `$XDG_CACHE_HOME/tfcap` (`~/.cache/tfcap`). It takes ten seconds or so and a
C++17 compiler, `$CXX` or `c++`. Whoever asks must be able to do without.

Source: https://www.tensorflow.org/guide/create_op
"""

import fcntl
import functools
import hashlib
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import tensorflow as tf

PHOTO_READER = Path(__file__).with_name("photo_reader.cc")
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
    """Path of the compiled file; it is compiled unless it is there.

    Args:
        source: may include headers beside it.

    Raises:
        OSError, RuntimeError: no compiler, or no place to write to.
        SubprocessError: the compiler failed.
    """
    command = [
        *compiler(),
        *["-O2", "-shared", "-fPIC", "-w", *options],
        *tf.sysconfig.get_compile_flags(),
    ]
    linked = tf.sysconfig.get_link_flags()
    # Machines of several kinds may share a home directory.
    told = [tf.__version__, processor(), *platform.libc_ver(), *command]
    parts = [source, *sorted(source.parent.glob("*.h"))]
    made_of = b"\0".join(
        [*(part.read_bytes() for part in parts), *map(str.encode, told)]
    )
    digest = hashlib.sha256(made_of).hexdigest()[:16]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfcap"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{source.stem}-{digest}.so"
    with open(folder / f"{path.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others wait, and find it there
        if not path.exists():
            print(f"compiling {source.name}, once for this TensorFlow", file=sys.stderr)
            unfinished = path.with_suffix(".unfinished")
            run([*command, str(source), "-o", str(unfinished), *linked])
            unfinished.rename(path)
    return path


def compiler() -> list[str]:
    """The command that compiles, `$CXX` or `c++`."""
    return shlex.split(os.environ.get("CXX", "c++"))


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
