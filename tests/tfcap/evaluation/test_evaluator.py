"""Captions of a split, their scores and files; and the commands around them."""

import dataclasses
import json
import re

import pytest
from PIL import Image
from pycocotools.coco import COCO

from records.errors import UserError
from tfcap.cli import main
from tfcap.cli.evaluate import warn_of
from tfcap.config.decoding import ResolvedDecoding
from tfcap.config.loading import parse_config
from tfcap.evaluation import evaluator
from tfcap.evaluation.evaluator import describe_scorer, evaluate, save
from tfcap.metrics import scoring
from tfcap.metrics.scoring import Scores
from tfcap.runs.workdir import Workdir, resolve_config
from tfcap.training.trainer import Trainer

SETTINGS = {
    "model": {
        "image_units": 16,
        "lstm_units": 16,
        "embedding_units": 8,
        "image_dropout": 0.0,
        "text_dropout": 0.0,
    },
    "training": {
        "expansion": "causal",
        "epochs": 12,
        "global_batch": 8,
        "strategy": "cpu",
        "score_photos": 0,
        "schedule": {"kind": "constant", "rate": 0.02},
    },
    "decoding": {"beam_width": 3, "length_exponent": 1.0, "max_length": 9},
}


@pytest.fixture(scope="module")
def trained(write_records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    records = write_records(folder / "records", {"train": 64, "dev": 16, "test": 0})
    Trainer(parse_config(SETTINGS, "test"), records, str(folder / "run")).run()
    return Workdir.open(str(folder / "run")), records


def test_a_model_that_sees_the_photo_beats_shuffled_photos(trained, tmp_path):
    workdir, records = trained
    found = evaluate([workdir], [records], "dev", workdir.config.decoding)
    assert len(found.captions) == 16
    assert found.scores.corpus["cider"] > 2 * found.mismatched_scores.corpus["cider"]
    summary = found.summary()
    assert set(summary["scores"]) == set(summary["shuffled_photos"])
    assert summary["settings"]["beam_width"] == 3
    save(found, str(tmp_path / "scores"))
    coco = COCO(str(tmp_path / "scores/references.json"))
    results = coco.loadRes(str(tmp_path / "scores/results.json"))
    assert len(results.getImgIds()) == 16


def test_the_caption_that_agrees_best_is_scored(trained):
    workdir, records = trained
    consensus = {"weight": 0.0, "regression": {"ridge": 0.5}}
    decoding = ResolvedDecoding(beam_width=5, max_length=9, consensus=consensus)
    found = evaluate([workdir], [records], "dev", decoding)
    assert found.settings["consensus"]["regression"]["ridge"] == 0.5
    assert found.scores.corpus["cider"] > 2 * found.mismatched_scores.corpus["cider"]


def test_what_scores_are_made_with_is_said():
    said = describe_scorer(Scores({}, {}))
    assert said["scored_by"] == "word" and "Penn Treebank" in said["scorer"]
    assert "pycocoevalcap_differs" not in said
    said = describe_scorer(Scores({}, {}, "character", ("one", "two")))
    assert said["scored_by"] == "character"
    assert said["scorer"].endswith("the references have no spaces between words")
    assert said["pycocoevalcap_differs"] == "one; two"


@pytest.mark.parametrize(
    ("captions", "said"),
    [
        (["", ""], "warning: no caption of 2 photos has a word"),
        (["a dog"] * 3, "warning: all 3 captions are the same"),
        (["a dog", "a cat"], None),
        (["a dog"], None),
    ],
)
def test_captions_that_tell_nothing_are_said(captions, said):
    about = scoring.describe({str(n): text for n, text in enumerate(captions)})
    found = warn_of(about)
    assert found == said or found.startswith(said)


def test_the_search_does_not_know_how_long_captions_of_other_splits_are(make_records):
    records = make_records({"train": 8, "dev": 8})
    statistics = records.manifest.statistics
    known = statistics.model_copy(update={"longest_by_split": {"train": 5, "dev": 7}})
    shorter = records.manifest.model_copy(update={"statistics": known})
    config = parse_config({}, "test")
    assert resolve_config(config, records).decoding.max_length == 7
    records = dataclasses.replace(records, manifest=shorter)
    assert resolve_config(config, records).decoding.max_length == 5


def test_a_split_without_photos(trained):
    workdir, records = trained
    with pytest.raises(UserError, match="no photo in split 'test'; it has 16 in dev"):
        evaluate([workdir], [records], "test", workdir.config.decoding)


def test_records_of_another_encoder(trained, make_records):
    workdir, records = trained
    other = records.manifest.encoder.model_copy(update={"digest": "e" * 64})
    foreign = make_records({"train": 8, "dev": 8}, name="foreign", encoder=other)
    with pytest.raises(UserError, match=r"cannot read .*encoder fake .* then, fake"):
        evaluate([workdir], [foreign], "dev", workdir.config.decoding)


def test_json_is_one_object_and_nothing_else(trained, capsys, tmp_path):
    workdir, records = trained
    where = ["--workdir", workdir.path, "--records", records.directory]
    (tmp_path / "photos/deep").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "photos/deep/dev0.jpg")
    gallery = ["--gallery", str(tmp_path / "gallery")]
    gallery += ["--photos", str(tmp_path / "photos")]
    greedy = ["--set", "decoding.beam_width=1"]
    options = ["--split=dev", "--no_java", "--json", *gallery, *greedy]
    code = main.main(["evaluate", *where, *options])
    out, err = capsys.readouterr()
    assert code == 0
    content = json.loads(out)
    assert set(content["scores"]) == {
        *(f"bleu_{n}" for n in range(1, 5)),
        "rouge_l",
        "cider",
    }
    assert content["settings"]["beam_width"] == 1
    assert set(content["intervals"]) == set(content["scores"])
    for name, (low, high) in content["intervals"].items():
        assert low <= content["scores"][name] <= high
    assert "gallery: " in err
    page = (tmp_path / "gallery/index.html").read_text()
    assert 'alt="Photo dev0.jpg"' in page  # found in a folder below
    assert "No photo found: dev1.jpg" in page
    assert workdir.config.decoding.beam_width == 3


def test_the_table_names_what_was_scored(trained, capsys):
    workdir, records = trained
    where = ["--workdir", workdir.path, "--records", records.directory]
    assert main.main(["evaluate", *where, "--split=dev", "--no_java"]) == 0
    out = capsys.readouterr().out
    for text in (
        "photos shuffled",
        "cider",
        "beam_width: 3",
        "length_exponent: 1.0",
        "split: dev",
        "references: 32",
        "references_per_photo: 2",
        "seeds: 0",
        "scorer: pycocoevalcap",
        "tokenizer: kind word, ",
        "distinct_captions: ",
        "distinct_words: ",
        "mean_words: ",
        "empty_captions: 0",
    ):
        assert text in out
    assert re.search(r"cider +│ +\d+\.\d \(\d+\.\d to \d+\.\d\) │ +\d+\.\d │", out)
    assert not re.search(r"[\[({]['\"]|None|\(\)", out)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_scores_of_the_same_caption_for_all_come_with_a_warning(
    trained, capsys, monkeypatch, options
):
    workdir, records = trained
    write = evaluator.caption_split

    def caption_split(*args):
        captions, likelihoods = write(*args)
        return dict.fromkeys(captions, "a dog"), likelihoods

    monkeypatch.setattr(evaluator, "caption_split", caption_split)
    where = ["--workdir", workdir.path, "--records", records.directory]
    assert main.main(["evaluate", *where, "--split=dev", "--no_java", *options]) == 0
    assert "warning: all 16 captions are the same" in capsys.readouterr().err


def test_an_empty_caption_is_scored_and_counted(trained, capsys, monkeypatch):
    workdir, records = trained
    write = evaluator.caption_split

    def caption_split(*args):
        captions, likelihoods = write(*args)
        return captions | {"dev3.jpg": ""}, likelihoods

    monkeypatch.setattr(evaluator, "caption_split", caption_split)
    found = evaluate([workdir], [records], "dev", workdir.config.decoding)
    assert found.scores.per_photo["dev3.jpg"]["cider"] == 0
    assert found.summary()["captions"]["empty_captions"] == 1
    assert len(found.captions) == 16


def captions_with(trained, capsys, folder, *settings: str) -> list[list[str]]:
    """Words of the captions that `tfcap evaluate` writes with these settings."""
    workdir, records = trained
    where = [f"--workdir={workdir.path}", f"--records={records.directory}"]
    where += [f"--output={folder}", "--split=dev", "--no_java"]
    options = [f"--set=decoding.{setting}" for setting in settings]
    assert main.main(["evaluate", *where, *options]) == 0, capsys.readouterr().err
    rows = json.loads((folder / "results.json").read_text())
    return [row["caption"].split() for row in rows]


def test_every_rule_of_the_search_can_be_set(trained, capsys, tmp_path):
    rules = ["with_words=[snow]", "without_words=[dog]", "no_repeat_ngram=1"]
    lengths = ["min_length=7", "max_length=8"]
    for words in captions_with(trained, capsys, tmp_path, *rules, *lengths):
        assert "snow" in words and "dog" not in words
        assert len(set(words)) == len(words) and 5 <= len(words) <= 6


def test_captions_can_be_drawn(trained, capsys, tmp_path):
    settings = ["sampling.temperature=3.0", "sampling.top_p=0.9", "beam_width=1"]
    drawn = [
        captions_with(trained, capsys, tmp_path, *settings, f"sampling.seed={seed}")
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("with_words=[zebra]", "'zebra' is not in the model's vocabulary"),
        ("without_words=[zebra]", "'zebra' is not in the model's vocabulary"),
        ("beam=3", "unknown key 'decoding.beam'; did you mean 'beam_width'?"),
    ],
)
def test_settings_that_cannot_be(trained, capsys, setting, message):
    workdir, records = trained
    where = [f"--workdir={workdir.path}", f"--records={records.directory}"]
    assert main.main(["evaluate", *where, f"--set=decoding.{setting}"]) == 1
    assert message in capsys.readouterr().err
