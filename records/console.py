"""Console output and exit codes that all commands share."""

import argparse
import difflib
import io
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from records.errors import UserError
from records.extras import missing_extra
from records.interrupts import INTERRUPTED, MESSAGE, note_ctrl_c
from records.status_line import erase

if TYPE_CHECKING:  # rich is imported by the commands that print tables
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

PACKAGES = ("beam_jobs", "records", "tfcap")
DIGEST_SHOWN = 12
NEAR = 0.5  # the ratio of difflib from which on a name is suggested
# Characters that control a terminal (C0 except tab and newline, C1), and those that
# change the direction of text.
CONTROLS = {
    code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    for codes in (
        *(range(0x09), range(0x0B, 0x20), range(0x7F, 0xA0)),
        *(range(0x2028, 0x202F), range(0x2066, 0x206A)),
    )
    for code in codes
}


def run_command(main: Callable[[], int | None]) -> int:
    """Returns a command's exit code; 1 after a UserError, 130 after Ctrl-C.

    Output that the terminal's encoding lacks is printed as escapes, because names of
    files need not be UTF-8. Messages of our packages are printed on standard error.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with note_ctrl_c() as noted:
        try:
            with log_to_stderr():
                return main() or 0
        except KeyboardInterrupt:
            return end_interrupted()
        except Exception as error:
            return end_interrupted() if noted else end_failed(error)


def end_interrupted() -> int:
    print(MESSAGE, file=sys.stderr)
    return INTERRUPTED


def end_failed(error: Exception) -> int:
    """Returns the exit code of an error that a user can correct; raises others."""
    if isinstance(error, BrokenPipeError):
        # The reader of our output has ended (`| head`). The interpreter flushes once
        # more when it exits, and must not fail then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, ModuleNotFoundError):
        error = missing_extra(error) or error
    if not isinstance(error, UserError):
        raise error
    print_plain(f"error: {error}", file=sys.stderr)
    return 1


class StderrHandler(logging.Handler):
    """A handler that prints messages alone on standard error.

    Rich and tests replace `sys.stderr`, so the stream is looked up for each message.
    """

    def emit(self, record: logging.LogRecord) -> None:
        erase()
        print_plain(self.format(record), file=sys.stderr)


@contextmanager
def log_to_stderr() -> Iterator[None]:
    """Prints messages of our packages, from level INFO on, while the body runs.

    They do not reach the root logger, to which Beam and absl may add handlers that
    would print them a second time.
    """
    loggers = [logging.getLogger(name) for name in PACKAGES]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        configure_logger(logger, [StderrHandler()], logging.INFO, propagate=False)
    try:
        yield
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before):
            configure_logger(logger, handlers, level, propagate)


def configure_logger(
    logger: logging.Logger, handlers: list[logging.Handler], level: int, propagate: bool
) -> None:
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


def visible(text: str) -> str:
    r"""Returns a text whose control characters are shown as escapes.

    >>> visible("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return text.translate(CONTROLS)


def short_digest(digest: str) -> str:
    """Returns the beginning of a digest in hexadecimal, as messages show it."""
    return f"{digest[:DIGEST_SHOWN]}…"


def suggest(name: str, valid: Iterable[str], most: int = 1) -> list[str]:
    """Returns the valid names nearest to a mistyped one, nearest first.

    >>> suggest("epoch", ["epochs", "seed"])
    ['epochs']
    """
    return difflib.get_close_matches(name, list(valid), n=most, cutoff=NEAR)


def print_plain(text: str, **where: Any) -> None:
    """Prints text from outside, with its control characters shown as escapes."""
    print(visible(text), **where)


def plain_console() -> "Console":
    """Returns a rich console that prints text from outside without markup."""
    from rich.console import Console

    class PlainConsole(Console):
        def render_str(self, text: str, **style: Any) -> "Text":
            return super().render_str(visible(text), **style)

        def on_broken_pipe(self) -> None:
            raise  # for run_command; rich itself would exit with 1

    return PlainConsole(markup=False, emoji=False, highlight=False)


def number_table(first: str, *others: str, title: str | None = None) -> "Table":
    """Returns a rich table whose first column is text and the others numbers."""
    from rich.table import Table

    table = Table(first, *others, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def add_command(
    commands: Any, name: str, run: Callable, does: str, example: str
) -> argparse.ArgumentParser:
    """Adds a subcommand whose help ends with an example; returns its parser.

    Args:
        commands: the result of `add_subparsers`.
        name: of the subcommand.
        run: called with the parsed arguments; returns the exit code.
        does: one line for the help.
        example: arguments of the example.
    """
    parser = commands.add_parser(name, help=does, description=does, allow_abbrev=False)
    parser.epilog = f"example: {parser.prog} {example}"
    parser.set_defaults(run=run)
    return parser
