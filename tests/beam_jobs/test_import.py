"""Importing the package changes nothing outside it."""

import subprocess
import sys

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


def test_importing_the_package_registers_nothing():
    command = [sys.executable, "-c", PROBE]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
