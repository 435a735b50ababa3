"""Photos drawn in the test; see `drawn_photos`."""

import sys
from pathlib import Path

import pytest

from records.storage import registry

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def without_beam(monkeypatch):
    """What a Beam job in this process registered does not answer for remote files."""
    monkeypatch.setattr(registry, "_remote", None)
