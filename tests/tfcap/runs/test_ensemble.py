"""Runs that write captions together."""

import json

import pytest
import tensorflow as tf
from test_workdir import change, with_other_words

from records.errors import UserError
from records.format.schema import FeatureSpec
from tfcap.cli import main
from tfcap.config.decoding import ResolvedDecoding
from tfcap.data.pipeline import photo_batches
from tfcap.evaluation.evaluator import caption_split, evaluate, save
from tfcap.export.model_card import describe
from tfcap.runs.ensemble import feature_sources, open_members, restore, results_folder


def test_one_run_is_itself(make_records, write_run):
    run = write_run(make_records())
    model, about = restore([run])
    assert type(model).__name__ == "MergeCaptioner"
    assert about == {
        "models": [run.path],
        "checkpoints": ["best dev loss, epoch 1"],
        "seeds": [0],
    }


def test_several_runs_are_scored_together(make_records, write_run, capsys, tmp_path):
    records = make_records()
    runs = [write_run(records, f"run{seed}", seed).path for seed in (0, 1)]
    argv = ["evaluate", f"--records={records.directory}", "--split=dev", "--json"]
    argv += ["--no_java", *(f"--workdir={run}" for run in runs)]
    assert main.main(argv) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["models"] == runs and settings["seeds"] == [0, 1]
    assert len(settings["checkpoints"]) == 2
    # Its own results stay those of the first run alone.
    assert (tmp_path / "run0/evaluation/ensemble/dev/results.json").exists()
    assert not (tmp_path / "run0/evaluation/dev").exists()


def test_where_results_go_can_be_said(make_records, write_run, capsys, tmp_path):
    records, output = make_records(), tmp_path / "results"
    argv = ["evaluate", "--no_java", "--records", records.directory, "--split=dev"]
    argv += ["--workdir", write_run(records).path, "--output", str(output)]
    assert main.main(argv) == 0
    assert (output / "scores.json").exists()


def other_tokenizer(records):
    settings = records.manifest.tokenizer.model_dump() | {"oov": "drop"}
    return change(records, tokenizer=settings)


def of_another(records):
    return change(records, encoder__digest="e" * 64)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (with_other_words, "one vocabulary: .*a has .*b has .*and token"),
        (other_tokenizer, "one tokenizer: .*a has .*oov unk, .*b has .*oov drop"),
        (
            of_another,
            r"one encoder: .*a has fake \(8 x 8 pixels, avg, ddd.* 4, .*b has .* eee",
        ),
    ],
)
def test_models_that_cannot_write_together(changed, message, make_records, write_run):
    first, other = make_records(name="r1"), changed(make_records(name="r2"))
    paths = [write_run(first, "a").path, write_run(other, "b").path]
    with pytest.raises(UserError, match=f"an ensemble needs models of {message}"):
        open_members(paths)


def test_features_of_another_shape(make_records, write_run):
    small, large = (
        make_records(name="small"),
        make_records(name="large", spec=FeatureSpec(shape=(6,), dtype="float32")),
    )
    paths = [write_run(small, "a").path, write_run(large, "b").path]
    with pytest.raises(UserError, match=r"features 4, .*features 6\. Train"):
        open_members(paths)


def test_scores_of_another_ensemble_are_not_on_the_card(make_records, write_run):
    records = make_records()
    runs = [write_run(records, f"run{seed}", seed) for seed in (0, 1, 2)]
    result = evaluate(runs[:2], [records], "dev", ResolvedDecoding(max_length=8))
    save(result, results_folder([run.path for run in runs[:2]], "dev"))
    config = ResolvedDecoding(max_length=8)
    card = describe(runs[:2], config)
    assert "Split dev, 7 photos" in card and "of 2 models: " in card
    assert "`tfcap evaluate` had not been run" in describe(runs, config)
    assert "`tfcap evaluate` had not been run" in describe(runs[:1], config)


@pytest.fixture
def two_encoders(make_records, write_run):
    """Runs on features of two encoders, and the two record sets."""
    first = make_records(name="one")
    encoder = first.manifest.encoder.model_copy(update={"digest": "e" * 64})
    wide = FeatureSpec(shape=(6,), dtype="float16")
    sets = [first, make_records(name="other", spec=wide, encoder=encoder)]
    return [
        write_run(record_set, f"run{i}", i) for i, record_set in enumerate(sets)
    ], sets


def test_models_of_two_encoders_write_together(two_encoders, tmp_path, capsys):
    runs, sets = two_encoders
    argv = ["evaluate", "--split=dev", "--no_java", "--json", f"--output={tmp_path}/o"]
    argv += [f"--workdir={run.path}" for run in runs]
    named = [f"--records={record_set.directory}" for record_set in sets]
    assert main.main([*argv, *named[::-1]]) == 0  # in any order: each finds its own
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["models"] == [run.path for run in runs]
    digests = [encoder["digest"][0] for encoder in settings["encoders"]]
    assert digests == ["d", "e"]
    assert main.main([*argv, named[0]]) == 1
    assert "models of one encoder" in capsys.readouterr().err


def test_an_ensemble_of_two_encoders_is_the_mean_of_both(two_encoders):
    runs, sets = two_encoders
    config = ResolvedDecoding(max_length=8, beam_width=1)
    model, _ = restore(runs)
    captions, _ = caption_split(model, feature_sources(model, sets), "dev", config)
    batches = [next(iter(photo_batches(record_set, "dev", 100))) for record_set in sets]
    models = [run.restore_best()[0] for run in runs]
    shares = 0
    for model, batch in zip(models, batches):
        start = tf.ones([7, 1], tf.int32)
        context = model.encode(batch["features"])
        shares += tf.nn.softmax(model.predict_tokens(context, start))[:, 0] / 2
    barred = tf.one_hot([0, 1, 3], shares.shape[1], on_value=1.0)
    likeliest = tf.argmax(shares - tf.reduce_sum(barred, 0), 1).numpy()
    for photo, token in zip(batches[0]["photo_id"].numpy(), likeliest):
        words = [*captions[photo.decode()].split(), "<end>"]
        assert words[0] == sets[0].vocabulary.tokens[token]


def test_record_sets_of_other_photos(two_encoders, make_records, write_run):
    runs, sets = two_encoders
    third = sets[0].manifest.encoder.model_copy(update={"digest": "f" * 64})
    fewer = make_records({"train": 8, "dev": 5}, name="fewer", encoder=third)
    runs = [runs[0], write_run(fewer, "third")]
    with pytest.raises(UserError, match="do not hold the same photos of split dev"):
        evaluate(runs, [sets[0], fewer], "dev", ResolvedDecoding(max_length=8))
