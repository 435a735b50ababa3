"""What glibc is told about memory that is freed."""

import ctypes
import os

import pytest

from tfcap.cli import main, malloc


@pytest.fixture
def settings(monkeypatch):
    """Those made, in a process that was started with none."""
    for name in [n for n in os.environ if n.startswith(("MALLOC_", "GLIBC_TUN"))]:
        monkeypatch.delenv(name)
    calls = []

    class Library:
        def __init__(self, name):
            assert name is None

        def mallopt(self, *setting):
            calls.append(setting)

    monkeypatch.setattr(ctypes, "CDLL", Library)
    return calls


def test_freed_memory_is_kept(settings):
    malloc.keep_freed_memory()
    assert sorted(settings) == [(-3, 32 << 20), (-2, 64 << 20), (-1, 256 << 20)]


@pytest.mark.parametrize(
    ("command", "kept"), [("caption --model x a.jpg", 3), ("serve --model x", 0)]
)
def test_the_server_gives_it_back(settings, monkeypatch, command, kept):
    monkeypatch.setattr(main, "run_command", lambda work: 0)
    assert main.main(command.split()) == 0
    assert len(settings) == kept


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_whoever_says_otherwise_is_left_alone(settings, monkeypatch, name):
    monkeypatch.setenv(name, "65536")
    malloc.keep_freed_memory()
    assert settings == []


def test_a_system_without_it_is_left_alone(settings, monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    malloc.keep_freed_memory()
