"""The CPU time of a photo, and the limits that follow from it."""

import json

import pytest

from tests.benchmarks import decoding


def test_limits_are_those_of_the_slower_part():
    found = decoding.limits({"first": 8.0, "second": 1.0}, {"a": 1.0, "b": 2.0})
    assert list(found.values()) == [2000, 500, 1600]
    cheap = decoding.limits({"first": 100.0}, {"a": 0.1})
    assert cheap["one process, bound by its one thread"] == 160


@pytest.mark.slow
def test_the_command_measures(capsys):
    assert decoding.main(["--count", "8"]) == 0
    result = json.loads(capsys.readouterr().out)
    for values in result["decoding, photos/s a core"].values():
        assert values > 0
