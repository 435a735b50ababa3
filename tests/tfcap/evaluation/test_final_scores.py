"""`tfcap evaluate --final`: the photos that are scored once, at the end."""

import json
import re

import pytest

from records.errors import UserError
from records.storage.files import file_digest
from tfcap.cli import main
from tfcap.evaluation.final_scores import (
    FinalScores,
    load_final_scores,
    lock_final_scores,
)

WARNING = r"warning: the final photos of {} were scored {} before with {} \({}\)"
DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"


@pytest.fixture
def records(make_records):
    return make_records({"train": 8, "dev": 8, "test": 5})


@pytest.fixture
def final(records, capsys):
    """Returns a function that scores runs for good and returns standard error."""

    def score(*runs, options=("--final",), code=0) -> str:
        argv = ["evaluate", f"--records={records.directory}", "--no_java", *options]
        argv += ["--set=decoding.beam_width=1"]  # quickest
        assert main.main([*argv, *(f"--workdir={run.path}" for run in runs)]) == code
        return capsys.readouterr().err

    return score


def test_a_first_scoring_is_recorded_in_the_work_directory(records, write_run, final):
    run = write_run(records)
    assert "warning: the final" not in final(run, options=("--final", "--split=test"))
    (score,) = load_final_scores(run).scored
    assert score.records == records.manifest.content_digest
    assert score.checkpoint == file_digest(f"{run.best_state()}/digests.json")
    assert score.models == (run.path,) and score.decoding["beam_width"] == 1
    with open(run.folder("evaluation", "test", "scores.json")) as file:
        assert score.scores == json.load(file)["scores"]
    with open(run.folder("final.json")) as file:
        assert json.load(file)["format"] == 1


def test_later_scorings_warn_and_only_final_ones_count(records, write_run, final):
    run = write_run(records)
    final(run)
    where = records.directory, "1 time", run.path, DATE
    assert re.search(WARNING.format(*where), final(run, options=()))
    assert re.search(WARNING.format(*where), final(run))
    where = records.directory, "2 times", run.path, f"{DATE}, {DATE}"
    assert re.search(WARNING.format(*where), final(run))
    assert len(load_final_scores(run).scored) == 3
    assert "warning: the final" not in final(run, options=("--split=dev",))


def test_two_final_scorings_of_a_run_are_not_made_at_once(records, write_run, final):
    run = write_run(records)
    with lock_final_scores([run, run]):
        error = final(run, code=1)
        assert f"--final: another job is writing to {run.path}/final.json (p" in error
        assert load_final_scores(run) == FinalScores()
        assert "another job" not in final(run, options=())  # which records nothing


def test_other_records_do_not_count(records, make_records, write_run):
    run, other = write_run(records), make_records({"train": 8, "dev": 8}, name="other")
    scores = FinalScores.model_validate(
        {"scored": [score_of(records), score_of(records), score_of(other)]}
    )
    assert len(scores.times_of(records)) == 2 and len(scores.times_of(other)) == 1
    assert load_final_scores(run) == FinalScores()


def score_of(records) -> dict:
    return {
        "time": "2026-01-02T03:04:05Z",
        "records": records.manifest.content_digest,
        "checkpoint": "c" * 64,
        "models": ["runs/a"],
        "decoding": {},
        "scores": {"cider": 0.5},
    }


def test_each_run_of_an_ensemble_records_it(records, write_run, final):
    runs = [write_run(records, f"run{seed}", seed) for seed in (0, 1)]
    final(*runs)
    first, second = (load_final_scores(run).scored[0] for run in runs)
    assert first.models == second.models == (runs[0].path, runs[1].path)
    assert first.checkpoint != second.checkpoint
    error = final(runs[1])
    assert "1 time before" in error and runs[1].path in error


def test_each_seed_records_its_own_scores(records, write_run, capsys, tmp_path):
    runs = [write_run(records, f"runs/seed-{seed}", seed) for seed in (0, 1)]
    argv = ["evaluate", f"--records={records.directory}", "--no_java", "--final"]
    assert main.main([*argv, f"--workdir={tmp_path / 'runs'}"]) == 0
    models = [load_final_scores(run).scored[0].models for run in runs]
    assert models == [(run.path,) for run in runs]


def test_another_split_is_wrong_usage(records, write_run, final, capsys):
    with pytest.raises(SystemExit) as ended:
        final(write_run(records), options=("--final", "--split=dev"))
    assert ended.value.code == 2
    assert "--final scores the split test; received --split dev" in (
        capsys.readouterr().err
    )


DAMAGED = " is damaged or was edited, or a newer tfcap wrote it: "


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"format": 2, "other": 1}', r" was written by a newer tfcap \(format 2, "),
        ('{"format": 0}', f"{DAMAGED}format: "),
        ('{"scored": 3}', f"{DAMAGED}scored: "),
        ('{"colour": 1}', f"{DAMAGED}unknown key 'colour'"),
        ('{"scored": [', f"{DAMAGED}Invalid JSON"),
        ("[]", DAMAGED),
        ("[" * 100_000, DAMAGED),
    ],
    ids=range(7),
)
def test_a_newer_or_damaged_file(records, write_run, content, message):
    run = write_run(records)
    path = run.folder("final.json")
    with open(path, "w") as file:
        file.write(content)
    with pytest.raises(UserError, match=f"^{path}{message}"):
        load_final_scores(run)


def test_a_damaged_file_ends_the_command_before_photos_are_scored(
    records, write_run, final
):
    run = write_run(records)
    with open(run.folder("final.json"), "w") as file:
        file.write("{")
    assert "final.json is damaged or was edited" in final(run, code=1)
