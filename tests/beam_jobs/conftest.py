"""Data sets made in the test; `small_data` is imported by worker processes too."""

import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
sys.path.insert(0, HERE)

from memory_files import StoreFiles, TreeFiles  # noqa: E402
from small_data import SmallData  # noqa: E402

from beam_jobs.io import beam_storage  # noqa: E402
from records.storage import local_copy, registry, remote_locks  # noqa: E402


@pytest.fixture
def data(tmp_path) -> SmallData:
    return SmallData(tmp_path / "data")


@pytest.fixture
def memory(monkeypatch) -> type[StoreFiles]:
    """The file systems in memory, empty; jobs take their locks without a wait."""
    monkeypatch.setattr(remote_locks, "SETTLING", 0)
    monkeypatch.setattr(registry, "_remote", beam_storage.BeamStorage())
    local_copy.lasting_local_copy.cache_clear()
    StoreFiles.clear()
    TreeFiles.clear()
    return StoreFiles


@pytest.fixture
def workers_find_tests(monkeypatch):
    """Lets processes that a runner starts import `small_data`."""
    monkeypatch.setenv("PYTHONPATH", HERE)
