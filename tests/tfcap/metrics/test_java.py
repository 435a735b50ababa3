"""METEOR and SPICE: what is looked for first, and pycocoevalcap's own scores."""

import shutil

import pytest
from pycocoevalcap import eval as coco_eval
from pycocoevalcap.meteor.meteor import Meteor
from pycocotools.coco import COCO

from tfcap.evaluation.evaluator import SHUFFLE_SEED, Evaluation, save
from tfcap.metrics import java, scoring

REFERENCES = {
    "a.jpg": ("A black dog runs over the man's lawn .", "A dog isn't still ."),
    "b.jpg": ("Two cats sleep on a red t-shirt.", "Cats ( two ) on a 1/2 sofa !"),
    "c.jpg": ("A man climbs a steep rock.", 'A sign says " No . 5 " ; ok'),
    "d.jpg": ("A girl , 8 , eats.", "A girl eats at 10:30 a.m."),
}
CAPTIONS = {
    "a.jpg": "a dog runs over the man 's lawn",
    "b.jpg": "",
    "c.jpg": "A man , climbing ...",
    "d.jpg": "a girl eats a t-shirt at 10:30 a.m.",
}


def evaluated() -> Evaluation:
    mismatched = scoring.mismatched_photos(CAPTIONS, SHUFFLE_SEED)
    scores = [scoring.score(texts, REFERENCES) for texts in (CAPTIONS, mismatched)]
    return Evaluation(CAPTIONS, {}, REFERENCES, *scores, {})


@pytest.mark.slow
@pytest.mark.skipif(java.missing("meteor") is not None, reason="no METEOR")
def test_pycocoevalcap_gives_our_files_the_same_scores(tmp_path, monkeypatch):
    meteor = Meteor()  # which takes seconds to start: for both
    monkeypatch.setattr(coco_eval, "Meteor", lambda: meteor)
    monkeypatch.setitem(java.SCORERS, "meteor", lambda: meteor)
    # It would download its parser.
    monkeypatch.setattr(coco_eval, "Spice", Zero)
    found = evaluated().with_java()
    save(found, str(tmp_path))
    coco = COCO(str(tmp_path / "references.json"))
    theirs = coco_eval.COCOEvalCap(coco, coco.loadRes(str(tmp_path / "results.json")))
    theirs.evaluate()
    for name, (value, _) in found.rows().items():
        key = {"cider": "CIDEr"}.get(name, name.upper().replace("BLEU", "Bleu"))
        assert value == pytest.approx(theirs.eval[key], abs=1e-12), name
    assert set(found.rows()) == {*scoring.NAMES, "meteor"}
    assert found.java.scores["meteor"] > found.java.mismatched_scores["meteor"]


class Zero:
    """In the place of a scorer."""

    def compute_score(self, truth, found):
        return 0.0, [{"All": 0.0}] * len(truth)

    def method(self):
        return "zero"


class Broken(Zero):
    def compute_score(self, truth, found):
        raise ValueError("could not convert string to float: b''")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder that pycocoevalcap is said to be in, with all that is needed."""
    for files in java.NEEDED.values():
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).touch()
    monkeypatch.setattr(java.pycocoevalcap, "__path__", [str(tmp_path)])
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(java, "java_version", lambda: 11)
    return tmp_path


def test_what_is_there_is_scored(package, monkeypatch):
    for name in java.SCORERS:
        monkeypatch.setitem(java.SCORERS, name, Zero)
    found = java.score(CAPTIONS, CAPTIONS, REFERENCES)
    assert found.scores == found.mismatched_scores == {"meteor": 0.0, "spice": 0.0}
    assert found.left_out == {}


def test_without_java_both_are_left_out(package, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    found = java.score(CAPTIONS, CAPTIONS, REFERENCES)
    assert found.scores == {}
    assert found.left_out == dict.fromkeys(["meteor", "spice"], "there is no `java`")


def test_missing_data_is_named(package):
    (package / "meteor/data/paraphrase-en.gz").unlink()
    (package / "spice/lib/stanford-corenlp-3.6.0-models.jar").unlink()
    assert "paraphrase-en.gz is not there; install" in java.missing("meteor")
    assert "models.jar is not there; its parser" in java.missing("spice")


def test_spice_needs_an_older_java(package, monkeypatch):
    monkeypatch.setattr(java, "java_version", lambda: 17)
    assert java.missing("meteor") is None
    assert java.missing("spice") == "SPICE 1.0 needs Java 8 to 14; this is 17"


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('java version "1.8.0_292"', 8),
        ('openjdk version "17.0.15" 2025', 17),
        ("", None),
    ],
)
def test_versions_of_java(monkeypatch, said, version):
    def run(*_, **__):
        return java.subprocess.CompletedProcess([], 0, stderr=said)

    monkeypatch.setattr(java.subprocess, "run", run)
    assert java.java_version() == version


def test_a_scorer_that_fails_is_left_out_with_its_words(package, monkeypatch):
    monkeypatch.setitem(java.SCORERS, "meteor", Broken)
    monkeypatch.setitem(java.SCORERS, "spice", Zero)
    found = java.score(CAPTIONS, CAPTIONS, REFERENCES)
    assert found.scores == {"spice": 0.0}
    assert found.left_out["meteor"].startswith("Java failed: ValueError could not")


def test_scripts_without_spaces_are_left_to_the_scores_by_character(monkeypatch):
    monkeypatch.setattr(java, "missing", lambda name: None)
    texts = {"a.jpg": "一只狗", "b.jpg": "一只猫"}
    found = java.score(texts, texts, {p: [t] for p, t in texts.items()})
    assert found.scores == found.mismatched_scores == {}
    assert set(found.left_out) == {"meteor", "spice"}
    assert "no spaces between" in found.left_out["meteor"]
