"""Scores of dev photos in TensorBoard, after every epoch."""

from pathlib import Path

import pytest
import tensorflow as tf
from test_trainer import assert_same_state, run, settings

from records.errors import UserError
from tfcap.evaluation.evaluator import evaluate
from tfcap.training import dev_scores
from tfcap.training.trainer import Trainer


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


def test_references_without_words_are_refused_before_training(
    make_records, tmp_path, monkeypatch
):
    wordless = [("dev0.jpg", (".",)), ("dev1.jpg", ("a dog",))]
    monkeypatch.setattr(dev_scores, "read_texts", lambda *_: wordless)
    with pytest.raises(UserError, match="1 photo with a caption but no references"):
        Trainer(settings(score_photos=2), make_records(), str(tmp_path / "run"))
