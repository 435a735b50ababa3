"""Ctrl-C in each part of a command: one sentence, exit code 130, no stack."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from records import console
from records.interrupts import handle_ctrl_c, is_importing, note_ctrl_c

START = "import os, signal, sys\nfrom records import console, interrupts\n"
CTRL_C = "signal.raise_signal(signal.SIGINT)"
# Python loads it at its start. It sends Ctrl-C when a module is imported.
SITE = """
import os, signal, sys
class Interrupter:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_IMPORT"]:
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupter())
"""


def run(code: str, **options) -> tuple[int, str, str]:
    command = [sys.executable, "-c", START + code]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "body",
    [
        CTRL_C,
        # A library that makes another exception of it.
        f"try: {CTRL_C}\n    except KeyboardInterrupt: raise RuntimeError('lost')",
        # A callback, in which Python can raise nothing.
        "class Thing:\n"
        f"        def __del__(self): {CTRL_C}\n"
        "    Thing()\n    print('goes on')",
    ],
    ids=["main", "replaced", "callback"],
)
def test_a_command_ends_with_one_sentence(body):
    code = f"def main():\n    {body}\nsys.exit(console.run_command(main))"
    assert run(code) == (130, "", "interrupted\n")


def test_an_import_that_swallows_it_ends_at_once(tmp_path):
    (tmp_path / "greedy.py").write_text(
        f"import signal\ntry: {CTRL_C}\nexcept BaseException: pass\nprint('goes on')"
    )
    code = "sys.exit(console.run_command(lambda: __import__('greedy') and 0))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert run(code, env=environment) == (130, "", "interrupted\n")


def test_the_sentence_is_seen_while_standard_error_is_redirected(tmp_path):
    (tmp_path / "library.py").write_text(f"import signal\n{CTRL_C}")
    code = (
        "from records.tensorflow_logging import discard_stderr\n"
        "def main():\n    with discard_stderr(): import library\n"
        "sys.exit(console.run_command(main))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert run(code, env=environment) == (130, "", "interrupted\n")


def test_before_the_command_runs_and_after_its_end():
    for moment in ("interrupts.exit_on_ctrl_c()", "console.run_command(lambda: 0)"):
        code = f"interrupts.exit_on_ctrl_c()\n{moment}\n{CTRL_C}"
        assert run(code) == (130, "", "interrupted\n")


def test_what_is_ignored_stays_ignored():
    code = (
        "interrupts.exit_on_ctrl_c()\n"
        f"console.run_command(lambda: {CTRL_C})\nprint('goes on')"
    )
    ignore = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)  # noqa: E731
    assert run(code, preexec_fn=ignore) == (0, "goes on\n", "")


def test_the_handler_is_after_a_command_as_before():
    handler, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    assert console.run_command(lambda: 3) == 3
    assert console.run_command(lambda: signal.raise_signal(signal.SIGINT)) == 130
    assert signal.getsignal(signal.SIGINT) is handler and sys.unraisablehook is hook


def test_each_ctrl_c_is_recorded():
    with note_ctrl_c() as noted:
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
    assert noted == [signal.SIGINT, signal.SIGINT]


def test_a_parent_can_leave_it_to_its_child():
    received = []
    with handle_ctrl_c(lambda *_: received.append(1)):
        signal.raise_signal(signal.SIGINT)
    assert received == [1]


def test_a_frame_outside_imports():
    assert not is_importing(sys._getframe()) and not is_importing(None)


def interrupt_import(command: list[str], module: str, folder: Path):
    (folder / "sitecustomize.py").write_text(SITE)
    variables = {"PYTHONPATH": str(folder), "INTERRUPTED_IMPORT": module}
    return subprocess.run(
        [sys.executable, *command],
        env={**os.environ, **variables},
        cwd=folder,
        capture_output=True,
        text=True,
    )


# Imports of milliseconds, in which Ctrl-C would end `tfcap` with a stack.
SLOW = {"argparse", "importlib.util", "json", "logging", "pathlib", "re", "typing"}


def test_little_is_imported_before_the_command_has_a_handler():
    code = (
        "before = set(sys.modules)\n"
        "def handle(number, handler):\n"
        "    print(number == signal.SIGINT, *set(sys.modules) - before)\n"
        "    sys.exit()\n"
        "signal.signal = handle\nimport tfcap.__main__\ntfcap.__main__.main()"
    )
    options = ["-S", "-c", f"import os, signal, sys\nsys.path[:0] = {sys.path}\n"]
    command = [sys.executable, *options[:-1], options[-1] + code]
    handled, *imported = subprocess.check_output(command, text=True).split()
    assert handled == "True" and "tfcap.start_checks" in imported
    assert not SLOW & set(imported)


def test_the_imports_of_the_command_line(tmp_path):
    done = interrupt_import(["-m", "tfcap", "recipes"], "tfcap.cli.recipes", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


TRAIN = ["train", "--config=demo", "--records=r", "--workdir=w"]
BUILD = ["--config=demo", "--photos=p", "--captions=c", "--output=o"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "module"),
    [
        (["-m", "tfcap", *TRAIN], "tensorflow"),
        (["-m", "tfcap", "serve", "--model=m"], "tensorflow.python.ops.array_ops"),
        (["-m", "tfcap", "evaluate", "--workdir=w", "--records=r"], "keras.src.ops"),
        (["-m", "tfcap", "export", "--workdir=w", "--output=o"], "keras"),
        (["-m", "tfcap", "caption", "--model=m", "a.jpg"], "tensorflow.python.client"),
        (["-m", "tfcap", "build", *BUILD], "apache_beam"),
        (["-m", "tfcap", "build", *BUILD], "beam_jobs.command"),
        (["-m", "beam_jobs.build_records", *BUILD], "tensorflow"),
        (["-m", "beam_jobs.build_records", *BUILD], "apache_beam.pipeline"),
        (["-m", "beam_jobs.build_records", *BUILD], "keras"),
        (["-m", "beam_jobs.caption_photos", "--help"], "beam_jobs.elements"),
    ],
)
def test_the_imports_of_libraries(command, module, tmp_path):
    done = interrupt_import(command, module, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
