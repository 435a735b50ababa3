"""A result beside an earlier one."""

import json

import pytest

from records.errors import UserError
from tfcap.cli import main
from tfcap.evaluation.comparison import Comparison, Earlier
from tfcap.evaluation.evaluator import write_results
from tfcap.metrics import scoring
from tfcap.metrics.coco_format import REFERENCES as REFERENCES_FILE
from tfcap.metrics.coco_format import RESULTS, coco_references, coco_results

REFERENCES = {"a": ("a dog runs", "a dog"), "b": ("two cats sleep", "cats")}
CAPTIONS = {"a": "a dog runs", "b": "two cats"}
THIS = scoring.score(CAPTIONS, REFERENCES)


def test_its_table_and_summary():
    earlier = Earlier("there", ({"a": "a dog", "b": "a cat"},), REFERENCES)
    found = Comparison.of([THIS], REFERENCES, earlier)
    summary = found.summary()
    assert summary["file"] == "there" and summary["resamples"] == 10_000
    one = summary["scores"]["rouge_l"]
    assert set(one) == {"this", "other", "difference", "interval", "p"}
    assert one["difference"] == one["this"] - one["other"] > 0
    assert found.table().row_count == 6


@pytest.mark.parametrize(
    ("captions", "references", "message"),
    [
        ({"a": "x"}, REFERENCES, "this one has 2, the other 1, and 'b' is in this"),
        (
            CAPTIONS,
            REFERENCES | {"b": ("two cats sleep",)},
            "it has 1 of 'b', this one 2, and 'cats' is not in both",
        ),
    ],
)
def test_other_photos_or_references(captions, references, message):
    with pytest.raises(UserError, match=message):
        Comparison.of([THIS], REFERENCES, Earlier("there", (captions,), references))


def test_the_order_of_references_does_not_matter():
    turned = {photo: texts[::-1] for photo, texts in REFERENCES.items()}
    found = Comparison.of([THIS], REFERENCES, Earlier("there", (CAPTIONS,), turned))
    assert found.differences["cider"].p == 1


def write_seed(folder, seed: int, references) -> None:
    contents = {
        RESULTS: coco_results(CAPTIONS),
        REFERENCES_FILE: coco_references(references),
    }
    write_results(contents, str(folder / f"seed-{seed}"))


def test_seeds_of_other_references_have_no_mean(tmp_path):
    write_seed(tmp_path, 0, REFERENCES)
    write_seed(tmp_path, 1, REFERENCES)
    assert Earlier.read(str(tmp_path)).runs == (CAPTIONS, CAPTIONS)
    write_seed(tmp_path, 2, REFERENCES | {"b": ("cats",)})
    with pytest.raises(UserError, match="have different references, so they have no"):
        Earlier.read(str(tmp_path))


def test_the_command(make_records, write_run, capsys, tmp_path):
    records = make_records()
    argv = ["evaluate", f"--records={records.directory}", "--split=dev", "--no_java"]
    first = write_run(records, "first", seed=1)
    assert main.main([*argv, f"--workdir={first.path}"]) == 0
    argv += [f"--workdir={write_run(records, 'second', seed=2).path}"]
    argv += [f"--against={first.path}/evaluation/dev"]
    capsys.readouterr()
    assert main.main(argv) == 0
    assert "95 % from" in capsys.readouterr().out
    assert main.main([*argv, "--json"]) == 0
    against = json.loads(capsys.readouterr().out)["against"]
    assert 0 < against["scores"]["cider"]["p"] <= 1
    saved = json.loads((tmp_path / "second/evaluation/dev/scores.json").read_text())
    assert saved["against"] == against
    assert main.main([*argv, f"--against={tmp_path}/none"]) == 1
    assert "cannot read" in capsys.readouterr().err
