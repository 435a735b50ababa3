"""Several seeds from one command, their mean and its spread."""

import json
import signal
import statistics

import numpy as np
import pytest
import yaml

from records.errors import UserError
from tfcap.cli import main
from tfcap.cli.train import RUN_AGAIN, for_seed, training_config
from tfcap.evaluation import evaluator
from tfcap.evaluation.evaluator import Evaluation
from tfcap.evaluation.seed_summary import SeedScores
from tfcap.metrics.scoring import Scores
from tfcap.runs.seeds import find_seeds
from tfcap.runs.workdir import Workdir
from tfcap.training.trainer import Trainer

CONFIG = {
    "model": {"image_units": 8, "lstm_units": 8, "embedding_units": 4},
    "training": {
        "expansion": "causal",
        "epochs": 2,
        "global_batch": 8,
        "strategy": "cpu",
        "log_steps": 1,
        "score_photos": 0,
        "seed": 4,
    },
}


@pytest.fixture(scope="module")
def trained(write_records, tmp_path_factory):
    """The command that trained seeds 4 and 5 into a folder, and its records.

    It was stopped by SIGTERM in the second run, and given again.
    """
    folder = tmp_path_factory.mktemp("seeds")
    records = write_records(folder / "records")
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    command = [f"--config={folder / 'config.yaml'}", f"--records={records.directory}"]
    command = ["train", *command, "--workdir"]
    both = [*command, str(folder / "runs"), "--seeds=2"]
    with pytest.MonkeyPatch.context() as patch:
        stop_in(patch, seed=5, step=2)
        assert main.main(both) == RUN_AGAIN
    assert main.main(both) == 0
    return command, str(folder / "runs"), records


def stop_in(patch, seed: int, step: int) -> None:
    """Sends this process SIGTERM after a step of one of the runs."""
    original = Trainer.flush_metrics

    def note(self):
        original(self)
        if (self.settings.seed, self.steps) == (seed, step):
            signal.raise_signal(signal.SIGTERM)

    patch.setattr(Trainer, "flush_metrics", note)


def weights(path: str) -> list[np.ndarray]:
    return Workdir.open(path).restore_best()[0].get_weights()


def test_each_seed_is_the_run_it_would_be_alone(trained, tmp_path):
    command, folder, _ = trained
    runs = find_seeds(folder)
    assert list(runs) == [4, 5]
    alone = str(tmp_path / "alone")
    assert main.main([*command, alone, "--set=training.seed=5"]) == 0
    for weight, other in zip(weights(runs[5]), weights(alone), strict=True):
        np.testing.assert_array_equal(weight, other)
    assert not all(
        np.array_equal(a, b) for a, b in zip(weights(runs[4]), weights(runs[5]))
    )


def test_the_second_phase_starts_from_the_run_of_its_seed(trained):
    command, folder, records = trained
    args = main.make_parser().parse_args([*command, "w", f"--init={folder}"])
    for seed in (4, 5):
        seed_args = for_seed(args, seed)
        assert (seed_args.workdir, seed_args.init) == (
            f"w/seed-{seed}",
            f"{folder}/seed-{seed}",
        )
        assert training_config(seed_args, records).training.seed == seed
    with pytest.raises(UserError, match="holds runs of the seeds 4, 5, none of 6"):
        for_seed(args, 6)


def test_places_that_are_taken(trained, tmp_path, capsys):
    command, folder, _ = trained
    assert main.main([*command, folder]) == 1
    assert (
        "holds runs of the seeds 4, 5: add --seeds to resume" in capsys.readouterr().err
    )
    assert main.main([*command, f"{folder}/seed-4", "--seeds=2"]) == 1
    assert "work directory of a single run" in capsys.readouterr().err
    assert main.main([*command, str(tmp_path / "one"), "--seeds=1"]) == 1
    assert "--seeds: at least 2; received 1" in capsys.readouterr().err


def evaluate(trained, *options: str) -> list[str]:
    _, folder, records = trained
    where = [
        f"--workdir={folder}",
        f"--records={records.directory}",
        "--split=dev",
        "--no_java",
    ]
    return ["evaluate", *where, *options]


def test_scores_of_each_and_their_spread(trained, capsys):
    assert main.main(evaluate(trained, "--json")) == 0
    summary = json.loads(capsys.readouterr().out)
    each = [summary["runs"][seed]["scores"]["bleu_1"] for seed in ("4", "5")]
    assert summary["scores"]["bleu_1"] == pytest.approx(statistics.mean(each))
    deviation = abs(each[0] - each[1]) / 2**0.5  # divided by n - 1
    assert summary["deviations"]["bleu_1"] == pytest.approx(deviation)
    assert summary["settings"]["seeds"] == [4, 5]
    assert len(summary["settings"]["checkpoints"]) == 2


def test_a_run_that_writes_one_caption_is_named(trained, capsys, monkeypatch):
    write = evaluator.caption_split

    def caption_split(*args):
        captions, likelihoods = write(*args)
        return dict.fromkeys(captions, ""), likelihoods

    monkeypatch.setattr(evaluator, "caption_split", caption_split)
    assert main.main(evaluate(trained, "--json")) == 0
    err = capsys.readouterr().err
    for seed in (4, 5):
        assert f"seed {seed}: warning: no caption of 7 photos has a word" in err


def test_the_table_and_the_files(trained, capsys, tmp_path):
    output = str(tmp_path / "results")
    assert main.main(evaluate(trained, f"--output={output}")) == 0
    out = capsys.readouterr().out
    for text in ("seed 4", "seed 5", "mean", "± deviation", "seeds: 4, 5"):
        assert text in out
    assert "distinct_captions: " in out and "empty_captions: " in out
    for name in ("scores.json", "seed-4/results.json", "seed-5/scores.json"):
        assert (tmp_path / "results" / name).exists()
    assert main.main(evaluate(trained, f"--against={output}")) == 0
    assert "95 % from" in capsys.readouterr().out
    assert main.main(evaluate(trained, f"--against={output}/seed-5", "--json")) == 0
    summary = json.loads(capsys.readouterr().out)
    bleu = summary["against"]["scores"]["bleu_1"]
    assert bleu["other"] == summary["runs"]["5"]["scores"]["bleu_1"]
    assert bleu["this"] == summary["scores"]["bleu_1"]


def test_all_seeds_as_one_model(trained, capsys):
    assert main.main(evaluate(trained, "--ensemble", "--json")) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["seeds"] == [4, 5] and len(settings["models"]) == 2


def test_a_gallery_is_of_one_result(trained, capsys, tmp_path):
    assert main.main(evaluate(trained, f"--gallery={tmp_path}")) == 1
    assert "name one of them, or add --ensemble" in capsys.readouterr().err


def test_a_single_seed_has_no_spread():
    scores = Scores({"cider": 0.5}, {})
    summary = SeedScores({3: Evaluation({}, {}, {}, scores, scores, {})})
    assert summary.mean == {"cider": 0.5} and summary.deviation == {"cider": None}
