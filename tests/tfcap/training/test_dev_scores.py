"""Scores of dev photos in TensorBoard, after every epoch."""

from pathlib import Path

import pytest
import tensorflow as tf
from test_trainer import assert_same_state, run, settings

from tfcap.config.training import TrainingConfig
from tfcap.evaluation.evaluator import evaluate
from tfcap.training import dev_scores


def curves(workdir, *tags: str) -> dict[str, list[float]]:
    (events,) = Path(workdir, "tensorboard", "dev").iterdir()
    points: dict[str, list[float]] = {tag: [] for tag in tags}
    for event in tf.compat.v1.train.summary_iterator(str(events)):
        for value in event.summary.value:
            if value.tag in points:
                points[value.tag].append(float(tf.make_ndarray(value.tensor)))
    return points


def test_the_curves_are_scores_of_greedy_captions(make_records, tmp_path, monkeypatch):
    monkeypatch.setattr(dev_scores, "BATCH", 3)  # 7 photos: three batches
    records = make_records()
    trainer = run(settings(epochs=1, score_photos=100), records, tmp_path / "run")
    decoding = trainer.workdir.config.decoding.model_copy(update={"beam_width": 1})
    expected = evaluate([trainer.workdir], [records], "dev", decoding).scores.corpus
    for tag, values in curves(tmp_path / "run", "cider", "bleu_4").items():
        assert values == [pytest.approx(expected[tag], rel=1e-6)], tag


def test_scores_change_nothing_of_the_training(make_records, tmp_path):
    records = make_records()
    scored = run(settings(epochs=2, score_photos=3), records, tmp_path / "scored")
    plain = run(settings(epochs=2), records, tmp_path / "plain")
    assert_same_state(scored, plain)
    assert scored.outcome == plain.outcome
    found = curves(tmp_path / "scored", "cider", "loss")
    assert len(found["cider"]) == 2
    assert found["loss"] == curves(tmp_path / "plain", "loss")["loss"]
    assert curves(tmp_path / "plain", "cider")["cider"] == []
    assert len(scored.dev_scores.references) == 3


def test_a_run_may_be_resumed_with_scores(make_records, tmp_path):
    records = make_records()
    run(settings(epochs=1), records, tmp_path / "run")
    resumed = run(settings(epochs=2, score_photos=3), records, tmp_path / "run")
    assert resumed.outcome.epochs == 2


def test_a_hundred_photos_are_scored_unless_a_run_began_before_that():
    assert TrainingConfig().score_photos == 100
    assert TrainingConfig.came_later["score_photos"] == 0


@pytest.mark.parametrize(("wordless", "scored"), [(2, 5), (7, None)])
def test_photos_whose_references_have_no_word_are_left_out(
    make_records, tmp_path, monkeypatch, wordless, scored
):
    texts = [(f"dev{n}.jpg", ("." if n < wordless else "a dog",)) for n in range(7)]
    monkeypatch.setattr(dev_scores, "read_texts", lambda *_: texts)
    config = settings(epochs=1, score_photos=7)
    trainer = run(config, make_records(), tmp_path / "run")
    found = trainer.dev_scores and len(trainer.dev_scores.references)
    assert found == scored
    assert len(curves(tmp_path / "run", "cider")["cider"]) == bool(scored)
