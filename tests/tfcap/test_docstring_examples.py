"""The examples in docstrings run, in a folder with the files that they name.

data/records    21 training photos, 7 of dev
runs/demo       a run on them, whose model has learnt nothing yet
export/demo     a SavedModel that captions every photo alike
mine.yaml       a configuration for these records
photos/dog.jpg, captions.tsv
"""

import doctest
import importlib
import re
import signal
from pathlib import Path

import pytest
import tensorflow as tf
import uvicorn
from drawn_photos import photo

from beam_jobs.sources import registry
from records.format import rejects
from records.format.feature_statistics import StatisticsAccumulator
from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec
from tfcap.config.loading import load_config
from tfcap.encoders import load_encoder
from tfcap.models import build_model
from tfcap.runs.workdir import Progress, Workdir

ROOT = Path(__file__).parents[2]
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PACKAGES = (
    *("beam_jobs", "records", "tfcap", "tfcap.data", "tfcap.decoding"),
    *("tfcap.encoders", "tfcap.evaluation", "tfcap.export"),
    *("tfcap.inference.captioner", "tfcap.models", "tfcap.serving", "tfcap.training"),
)
CONSTANTS = {"__version__", "VERSION"}
MINE = """
encoder: {name: mobilenet, weights: random, input_size: 32, layer: conv1}
tokenizer: {min_count: 1}
model: {image_units: 8, lstm_units: 8, embedding_units: 4}
training: {epochs: 1, global_batch: 4, strategy: cpu, score_photos: 0}
"""
SLOW = {  # their examples train, trace or load a whole model
    *("tfcap.training.trainer", "tfcap.models.base", "tfcap.evaluation.evaluator"),
    *("tfcap.export.builder", "tfcap.export.saved_model", "tfcap.export.signatures"),
    "tfcap.encoders.encoder",
}
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("beam_jobs", "records", "tfcap")
    for path in sorted((ROOT / package).rglob("*.py"))
    if re.search(r"^ *>>> ", path.read_text("utf-8"), re.MULTILINE)
]


class DogModel(tf.Module):
    """Has the signatures of an export, and reads no photo."""

    def signatures(self) -> dict:
        photos = tf.TensorSpec([None], tf.string, "image_bytes")
        functions = {"serving_default": self.caption, "explain": self.explain}
        return {
            name: tf.function(function, input_signature=[photos], autograph=False)
            for name, function in functions.items()
        }

    def caption(self, image_bytes):
        error = tf.zeros_like(image_bytes)
        caption = tf.fill(tf.shape(image_bytes), "a dog runs on grass")
        score = tf.fill(tf.shape(image_bytes), -0.5)
        return {"caption": caption, "score": score, "error": error}

    def explain(self, image_bytes):
        def rows(values):
            return tf.tile(tf.constant([values]), [tf.size(image_bytes), 1])

        return {
            "captions": rows(["a dog runs on grass", "a dog runs"]),
            "scores": rows([-0.5, -0.75]),
            "words": rows(["a", "dog", "runs", "on", "grass", "."]),
            "probabilities": rows([0.75, 0.5, 0.5, 0.5, 0.5, 0.5]),
            "error": tf.zeros_like(image_bytes),
        }


@pytest.fixture(scope="module")
def files(tmp_path_factory, write_records) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    (folder / "mine.yaml").write_text(MINE)
    (folder / "photos").mkdir()
    (folder / "photos" / "dog.jpg").write_bytes(photo())
    (folder / "captions.tsv").write_text("dog.jpg\ttrain\tA dog runs .\n")
    (folder / "data").mkdir()
    write_run(folder, write_records)
    model = DogModel()
    path = str(folder / "export" / "demo" / "1")
    tf.saved_model.save(model, path, signatures=model.signatures())
    return folder


def write_run(folder: Path, write_records) -> None:
    config = load_config(str(folder / "mine.yaml"))
    encoder = load_encoder(config.encoder)
    spec = FeatureSpec(shape=encoder.shape, dtype="float32")
    written = write_records(folder / "data/records", None, spec, config, encoder.info)
    measure(written)
    written = RecordSet.open(written.directory)
    workdir = Workdir.create_or_resume(str(folder / "runs/demo"), config, written)
    model = build_model(config, written.manifest, written.vocabulary)
    state = tf.train.Checkpoint(model=model, progress=Progress())
    for kept in workdir.last_and_best():
        kept.save(state)


def measure(written: RecordSet) -> None:
    """Completes what the small records of tests leave out, and `verify` looks for."""
    Path(written.directory, rejects.FILE_NAME).touch()
    sums = StatisticsAccumulator()
    for record in written.records("train"):
        sums.add(record.features)
    measured = written.manifest.model_copy(update={"moments": sums.moments()})
    measured.save(written.directory)


@pytest.fixture
def in_files(files, monkeypatch):
    """The folder of the files is the current one; a server ends at once."""
    monkeypatch.chdir(files)
    monkeypatch.setattr(uvicorn.Server, "run", lambda server, sockets: None)
    monkeypatch.setattr(registry, "SOURCES", dict(registry.SOURCES))
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in MODULES],
)
def test_the_examples_of_a_module_run(name, in_files):
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=OPTIONS)
    assert tried and not failed


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_has_an_example(package):
    module = importlib.import_module(package)
    names = getattr(module, "__all__", ("Captioned", "Captioner", "Explained"))
    for name in set(names) - CONSTANTS:
        assert ">>> " in (getattr(module, name).__doc__ or ""), f"{package}.{name}"


@pytest.mark.parametrize("name", ["models.CaptioningModel", "training.Trainer"])
def test_a_model_is_trained_from_python_in_ten_lines(name):
    package, _, name = f"tfcap.{name}".rpartition(".")
    text = getattr(importlib.import_module(package), name).__doc__
    code = "".join(
        example.source for example in doctest.DocTestParser().get_examples(text)
    )
    assert ".fit(" in code or ".run(" in code
    assert len(code.splitlines()) <= 10


def test_the_packages_with_public_names_are_all_here():
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for package in ("beam_jobs", "records", "tfcap")
        for path in (ROOT / package).rglob("__init__.py")
        if "__all__" in path.read_text("utf-8")
    }
    assert found == {name for name in PACKAGES if name != "tfcap.inference.captioner"}
