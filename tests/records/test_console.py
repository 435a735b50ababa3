import io
import logging
import os
import subprocess
import sys

import pytest

from records import console
from records.errors import UserError


def fail(error):
    def main():
        raise error

    return main


def test_exit_codes():
    assert console.run_command(lambda: None) == 0
    assert console.run_command(lambda: 0) == 0
    assert console.run_command(lambda: 1) == 1


def test_a_users_error_is_one_line_on_stderr(capsys):
    assert console.run_command(fail(UserError("no such photo"))) == 1
    assert capsys.readouterr() == ("", "error: no such photo\n")


def test_ctrl_c(capsys):
    assert console.run_command(fail(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


@pytest.mark.parametrize(
    "line", ["print('x' * 999)", "console.plain_console().print('x' * 999)"]
)
def test_a_reader_that_goes_away_is_no_failure(line):
    code = (
        "import sys; from records import console\n"
        f"def main():\n    for _ in range(9999): {line}\n"
        "sys.exit(console.run_command(main))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 0


def test_the_console_prints_text_as_it_stands(capsys):
    console.plain_console().print("[red]a[/red] dog :dog: 3 [/]")
    assert capsys.readouterr().out == "[red]a[/red] dog :dog: 3 [/]\n"


HOSTILE = "a\x1b[2J\x07\r\x9b1m\u202eb\tc"
SEEN = "a\\x1b[2J\\x07\\x0d\\x9b1m\\u202eb\tc"


def test_what_a_terminal_would_obey_is_seen_instead(capsys):
    console.print_plain(HOSTILE)
    assert console.run_command(fail(UserError(HOSTILE))) == 1
    assert capsys.readouterr() == (f"{SEEN}\n", f"error: {SEEN}\n")


def test_tables_show_it_too(capsys):
    table = console.number_table(HOSTILE, title="\x1b]0;title\x07")
    table.add_row("\x1b[31mred")
    terminal = console.plain_console()
    terminal.print(table, "\x1b[31mred", soft_wrap=True)
    printed = capsys.readouterr().out
    assert "\x1b" not in printed and "\x07" not in printed
    assert printed.count("\\x1b[31mred") == 2 and "\\x1b]0;title" in printed


def test_a_name_that_is_not_utf8_is_spelled_out(capsys):
    name = os.fsdecode(b"caf\xe9.jpg")

    def say():
        print(name)
        print(name, file=sys.stderr)
        console.print_plain(name)
        console.plain_console().print(name)
        raise UserError(name)

    assert console.run_command(say) == 1
    seen = "caf\\udce9.jpg\n"
    assert capsys.readouterr() == (3 * seen, f"{seen}error: {seen}")


def log(text=HOSTILE):
    logging.getLogger("records.storage.locks").info(text)
    logging.getLogger("another.library").info("of another library")


def test_a_command_prints_messages_of_our_packages_once(capsys, caplog):
    root_handler = logging.StreamHandler(sys.stderr)
    caplog.set_level("INFO")
    logging.getLogger().addHandler(root_handler)
    try:
        assert console.run_command(log) == 0
    finally:
        logging.getLogger().removeHandler(root_handler)
    assert capsys.readouterr() == ("", f"{SEEN}\nof another library\n")


def test_a_command_within_a_command_prints_messages_once(capsys):
    def run_twice():
        console.run_command(lambda: log("inner"))
        log("outer")

    assert console.run_command(run_twice) == 0
    assert capsys.readouterr().err == "inner\nouter\n"


def test_messages_go_to_the_standard_error_of_the_moment(capsys, monkeypatch):
    stream = io.StringIO()

    def replace():
        monkeypatch.setattr(sys, "stderr", stream)
        log("shown")

    assert console.run_command(replace) == 0
    assert stream.getvalue() == "shown\n"


@pytest.mark.parametrize("error", [None, UserError("wrong"), KeyboardInterrupt()])
def test_loggers_are_after_a_command_as_before(error, caplog):
    loggers = [logging.getLogger(name) for name in console.PACKAGES]
    before = [(logger.handlers[:], logger.level) for logger in loggers]
    console.run_command(fail(error) if error else log)
    assert [(logger.handlers, logger.level) for logger in loggers] == before
    caplog.set_level("INFO")
    log("after")
    assert "after" in caplog.messages


def test_a_program_without_logging_sees_warnings_alone():
    code = (
        "import logging, records.console\n"
        "logger = logging.getLogger('records.storage.locks')\n"
        "logger.info('not shown'); logger.warning('shown')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "shown\n")


@pytest.mark.parametrize("text", ["a\nb\tc", "שלום\u200f", "👩\u200d🚀", "é"])
def test_other_text_stays(text):
    assert console.visible(text) == text


def test_names_near_a_mistyped_one_are_suggested_nearest_first():
    names = ["epochs", "epoch_steps", "seed"]
    assert console.suggest("epoch", names) == ["epochs"]
    assert console.suggest("epoch", names, most=3) == ["epochs", "epoch_steps"]
    assert console.suggest("width", names) == []
