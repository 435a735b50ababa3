"""Importing the package changes nothing outside it."""

import subprocess
import sys

import pytest

PROBE = """
import logging, sys
import beam_jobs
assert "apache_beam" not in sys.modules
import beam_jobs.io.beam_storage
from records.storage import registry
assert registry._remote is None and not logging.getLogger().filters
beam_jobs.io.beam_storage.register()
assert type(registry._remote) is beam_jobs.io.beam_storage.BeamStorage
"""
# Prints the loggers that differ from new ones, with every module that logs imported.
LOGGERS = """
import logging
import beam_jobs.command, tfcap.cli.main, tfcap.serving.server, tfcap.training.trainer
for name, logger in logging.root.manager.loggerDict.items():
    if name.partition(".")[0] in ("beam_jobs", "records", "tfcap"):
        state = vars(logging.Logger(name))
        changed = {"handlers", "level", "propagate", "filters"}
        if any(getattr(logger, key, state[key]) != state[key] for key in changed):
            print(name)
"""


def run(code: str) -> str:
    command = [sys.executable, "-c", code]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_importing_the_package_registers_nothing():
    run(PROBE)


@pytest.mark.slow
def test_importing_the_packages_adds_no_handler():
    assert run(LOGGERS) == ""
