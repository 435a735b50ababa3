"""Data sets made in the test; `small_data` is imported by worker processes too."""

import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)

from small_data import SmallData  # noqa: E402


@pytest.fixture
def data(tmp_path) -> SmallData:
    return SmallData(tmp_path / "data")


@pytest.fixture
def workers_find_tests(monkeypatch):
    """Lets processes that a runner starts import `small_data`."""
    monkeypatch.setenv("PYTHONPATH", HERE)
