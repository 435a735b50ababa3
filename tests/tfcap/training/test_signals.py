"""Signals that stop a run."""

import signal
import subprocess
import sys

import pytest

from tfcap.training.signals import StopRequest, StopTraining, handled_by

TWICE = """
import signal
from tfcap.training.signals import StopRequest, handled_by
with handled_by(StopRequest().note):
    signal.raise_signal(signal.{first})
    print("goes on", flush=True)
    signal.raise_signal(signal.SIGINT)
    print("still there", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_obeyed_later(number):
    before = signal.getsignal(number)
    stop = StopRequest()
    with handled_by(stop.note):
        stop.raise_if_stopped()
        signal.raise_signal(number)
        assert stop.signal == number
        with pytest.raises(StopTraining):
            stop.raise_if_stopped()
    assert signal.getsignal(number) == before


def test_sigterm_twice_is_sigterm_once():
    stop = StopRequest()
    with handled_by(stop.note):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal == signal.SIGTERM


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM"])
def test_a_further_ctrl_c_stops_at_once(first):
    ran = subprocess.run(
        [sys.executable, "-c", TWICE.format(first=first)],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == -signal.SIGINT
    assert ran.stdout == "goes on\n"
    assert "Ctrl-C again stops at once" in ran.stderr
