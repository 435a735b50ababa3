"""Two runs are compared by speed, with the noise of their rounds."""

import json

import pytest

from tests.benchmarks import chart, run
from tests.benchmarks.compare import Change, as_saved, compare, read_rows, speed
from tests.benchmarks.rows import LINES, make_row

RATE = {"name": "step", "value": 100.0, "unit": "rows/s", "baseline": None}
TIME = {"name": "build", "value": 4.0, "unit": "ms", "baseline": None}


def change(old: dict, new: dict) -> Change:
    (result,) = compare({old["name"]: old}, [new])
    return result


@pytest.mark.parametrize(
    ("old", "new", "ratio", "word"),
    [
        (RATE, {"value": 50.0}, 0.5, "slower"),
        (RATE, {"value": 200.0}, 2.0, "faster"),
        (RATE, {"value": 91.0}, 0.91, ""),
        (RATE, {"value": 110.0}, 1.1, ""),
        (TIME, {"value": 8.0}, 0.5, "slower"),
        (TIME, {"value": 2.0}, 2.0, "faster"),
        # Half as fast on a machine that is half as fast.
        ({**RATE, "baseline": 10.0}, {"value": 50.0, "baseline": 5.0}, 1.0, ""),
        ({**RATE, "baseline": 10.0}, {"value": 50.0}, 0.5, "slower"),
        # The rounds of the two runs overlap, and do not.
        ({**RATE, "spread": (60, 110)}, {"value": 70, "spread": (65, 75)}, 0.7, ""),
        (
            {**RATE, "spread": (90, 110)},
            {"value": 70, "spread": (65, 75)},
            0.7,
            "slower",
        ),
        ({**TIME, "spread": (3, 7)}, {"value": 8.0, "spread": (6, 9)}, 0.5, ""),
        ({**TIME, "spread": (3, 5)}, {"value": 8.0, "spread": (6, 9)}, 0.5, "slower"),
    ],
)
def test_a_row_is_slower_or_faster_beyond_limit_and_noise(old, new, ratio, word):
    result = change(old, {**old, **new})
    assert result.ratio == pytest.approx(ratio)
    assert result.is_slower(0.1) is (word == "slower")
    assert result.is_faster(0.1) is (word == "faster")


def test_noise_is_the_ratio_of_the_farthest_rounds():
    old = {**RATE, "spread": (80.0, 125.0)}
    assert change(old, {**RATE, "spread": (75.0, 160.0)})[2:] == (0.6, 2.0)


def test_what_has_no_ratio_is_not_compared():
    assert change(TIME, {**TIME, "value": -0.1}) == Change("build", None)
    assert change(TIME, RATE) == Change("step", None)
    assert not change(TIME, RATE).is_slower(0.1)


def test_a_file_of_rows_is_read_as_it_was_written(tmp_path):
    names = {n for line in LINES for n in (line.value, line.baseline, line.limit) if n}
    rows = [make_row(line, {name: [1.0, 5.0, 3.0] for name in names}) for line in LINES]
    path = tmp_path / "bench.json"
    run.save(rows, str(path), "a machine")
    saved = read_rows(str(path))
    assert list(saved) == [line.name for line in LINES]
    figures = {"rows": [r.figures for r in rows]}
    figures["spread"] = {r.figures["name"]: r.spread for r in rows}
    path.write_text(json.dumps(figures))
    assert read_rows(str(path)) == saved
    assert all(c.ratio in (None, 1) for c in compare(saved, as_saved(rows)))


def test_rows_of_before_spreads_were_written_have_none():
    assert speed(RATE) == (100, 100, 100)


@pytest.mark.parametrize(
    "content", ["", "[1]", "{}", '[{"name": "step"}]', '[{"value": 1}]', "null"]
)
def test_another_file_is_refused_before_anything_is_measured(tmp_path, content, capsys):
    path = tmp_path / "old.json"
    path.write_text(content)
    assert run.main(["--against", str(path)]) == 1
    assert f"--against: {path} is no output of" in capsys.readouterr().err
    assert run.main(["--against", str(tmp_path / "none")]) == 1
    assert "--against: cannot read" in capsys.readouterr().err


@pytest.mark.parametrize(("now", "code"), [(95.0, 0), (50.0, 1)])
def test_the_exit_code_says_whether_something_is_slower(
    tmp_path, monkeypatch, capsys, now, code
):
    line = next(line for line in LINES if line.value == "pipeline.built")

    def measured(value: float):
        return lambda args: [make_row(line, {line.value: [value]})]

    # Its figure is a time: the inverse is the speed.
    monkeypatch.setattr(run, "GROUPS", {"training": measured(1 / 100)})
    monkeypatch.setattr(run.machine, "describe_machine", dict)
    monkeypatch.setattr(run.machine, "in_words", lambda about: "a machine")
    monkeypatch.setattr(chart, "draw", lambda *_: None)
    old, new = str(tmp_path / "old.json"), str(tmp_path / "new.json")
    assert run.main(["--output", old]) == 0
    monkeypatch.setitem(run.GROUPS, "training", measured(1 / now))
    assert run.main(["--output", new, "--against", old, "--limit=0.6"]) == 0
    capsys.readouterr()
    # The earlier file may be the one that is written.
    assert run.main(["--output", old, "--against", old]) == code
    captured = capsys.readouterr()
    assert ("slower" in captured.out) is bool(code)
    assert ("slower by more than 10 %: 1 row\n" in captured.err) is bool(code)
    assert read_rows(old) == read_rows(new)


@pytest.mark.parametrize("text", ["-1", "1", "x"])
def test_a_limit_is_a_fraction(text, capsys):
    with pytest.raises(SystemExit) as ended:
        run.main(["--against", "old.json", f"--limit={text}"])
    assert ended.value.code == 2
    assert "a fraction from 0 to 1" in capsys.readouterr().err
