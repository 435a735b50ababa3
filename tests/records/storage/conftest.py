import pytest

from records.storage import registry


@pytest.fixture(autouse=True)
def without_beam(monkeypatch):
    """Undoes what a Beam job registered in this process."""
    monkeypatch.setattr(registry, "_remote", None)
