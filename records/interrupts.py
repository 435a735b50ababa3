"""Ends a command on Ctrl-C with one sentence and exit code 130, never with a stack.

Python raises KeyboardInterrupt between any two lines. Where that is inside an import,
or in a callback of a library, it may be lost or become another exception. Until a
command has called `exit_on_ctrl_c` there is a stack, so little is imported before.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from records.status_line import STDERR, erase

INTERRUPTED = 130
MESSAGE = "interrupted"
IMPORT_SYSTEM = "<frozen importlib"  # names of its files begin with this


def exit_on_ctrl_c() -> None:
    """Lets Ctrl-C end this process at once, as long as nothing must be undone.

    The `__main__` of a command calls it before its imports, which take seconds.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        stderr = os.dup(STDERR)  # the other is redirected while TensorFlow is imported
        signal.signal(signal.SIGINT, lambda *_: exit_at_once(stderr))


def exit_at_once(stderr: int) -> None:
    """Prints the message and ends the process, without any cleaning up."""
    erase(stderr)
    os.write(stderr, f"{MESSAGE}\n".encode())
    os._exit(INTERRUPTED)


@contextmanager
def note_ctrl_c() -> Iterator[list[int]]:
    """Records Ctrl-C before it raises KeyboardInterrupt; yields the list of records.

    A library may replace that exception by another one. During an import, and in a
    callback that can raise nothing, the process ends at once.
    """
    noted: list[int] = []
    stderr = os.dup(STDERR)

    def note(number: int, frame: FrameType | None) -> None:
        if is_importing(frame):
            exit_at_once(stderr)
        noted.append(number)
        raise KeyboardInterrupt

    def report(unraisable: "sys.UnraisableHookArgs") -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            exit_at_once(stderr)
        hook(unraisable)

    hook, sys.unraisablehook = sys.unraisablehook, report
    try:
        with handle_ctrl_c(note):
            yield noted
    finally:
        sys.unraisablehook = hook
        os.close(stderr)


@contextmanager
def handle_ctrl_c(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Calls a function on Ctrl-C while the body runs.

    Where Ctrl-C is ignored, as in a background job of a script, it stays ignored. Only
    a process's main thread can have a handler.
    """
    before = signal.getsignal(signal.SIGINT)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def is_importing(frame: FrameType | None) -> bool:
    """Returns True if a frame, or one that called it, imports a module."""
    while frame is not None:
        if frame.f_code.co_filename.startswith(IMPORT_SYSTEM):
            return True
        frame = frame.f_back
    return False
