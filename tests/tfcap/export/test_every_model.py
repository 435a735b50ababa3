"""Each kind of model, exported as on a GPU host, and run on a CPU by TensorFlow alone.

One process loads them all; what it says is compared with the models before export.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_encoders import DECODING, ENCODER, custom_model, jpeg

from records.format.schema import FeatureSpec
from tfcap.config.loading import parse_config
from tfcap.decoding.ensemble import Ensemble
from tfcap.encoders import load_encoder
from tfcap.export.parity import live_captions
from tfcap.export.saved_model import export
from tfcap.export.signatures import PhotoCaptioner
from tfcap.models import build_model

MERGE = {"image_units": 8, "lstm_units": 8, "embedding_units": 4}
CELLS = {"components": 4, "embedding_units": 8, "heads": 2}
ATTENTION = {"name": "attention", **CELLS, "lstm_units": 8}
ATTENTION |= {"attention_units": 8, "output_units": 8}
TRANSFORMER = {"name": "transformer", **CELLS, "layers": 1, "feed_forward_units": 8}
CROP = {"scaling": "unit", "resize": "crop"}
GRID = {**ENCODER, "pooling": "grid", "preprocessing": CROP}
MODELS = {
    "merge": (ENCODER, MERGE),
    "merge_init": (ENCODER, {**MERGE, "photo": "init"}),
    "attention": (GRID, ATTENTION),
    "transformer": (GRID, TRANSFORMER),
    "own_encoder_with_views": (None, MERGE),
}
TOGETHER = ("attention", "transformer")  # of one encoder
KINDS = (*MODELS, "ensemble")
PHOTOS = [jpeg(0), jpeg(1), b"no photo", jpeg(2)]
GOOD = [0, 1, 3]
ALONE = """
import json, os, sys
for name in ("keras", "tensorflow_text", "tfcap", "records"):
    sys.modules[name] = None
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.kernels import get_registered_kernels_for_op

def as_lists(outputs):
    lists = {name: values.numpy().tolist() for name, values in outputs.items()}
    return json.loads(json.dumps(lists, default=bytes.decode))

def runs_on_cpu(op):
    kernels = get_registered_kernels_for_op(op).kernel
    return bool({"CPU", "DEFAULT"} & {kernel.device_type for kernel in kernels})

def operations(path):
    with open(os.path.join(path, "saved_model.pb"), "rb") as file:
        graph = SavedModel.FromString(file.read()).meta_graphs[0].graph_def
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    functions = {f.signature.name for f in graph.library.function}
    called = {n.op for n in nodes} - functions
    return {
        "operations": sorted(called),
        "unknown": sorted(op for op in called if not hasattr(tf.raw_ops, op)),
        "not_on_cpu": sorted(op for op in called if not runs_on_cpu(op)),
        "devices": sorted({n.device for n in nodes if n.device}),
    }

photos = tf.stack([tf.io.read_file(path) for path in sys.argv[1].split(",")])
said = {}
for path in sys.argv[2:]:
    model = tf.saved_model.load(path)
    said[path] = operations(path) | {
        name: as_lists(model.signatures[name](image_bytes=photos))
        for name in ("serving_default", "explain")
    }
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def captioners(tmp_path_factory, write_records, a_gpu) -> dict[str, PhotoCaptioner]:
    folder = tmp_path_factory.mktemp("models")

    def make(name: str, settings: dict | None, model: dict) -> PhotoCaptioner:
        settings = settings or custom_model(folder, crops=5, flip=True)
        config = parse_config({"encoder": settings, "model": model}, "test")
        encoder = load_encoder(config.encoder)
        spec = FeatureSpec(shape=encoder.shape, dtype="float16")
        records = write_records(folder / name, {"train": 3}, spec, config, encoder.info)
        manifest, words = records.manifest, records.vocabulary
        captioner = build_model(config, manifest, words)
        settings = manifest.tokenizer, DECODING, manifest.features.dtype
        return PhotoCaptioner(encoder, captioner, words, *settings)

    made = {name: make(name, *parts) for name, parts in MODELS.items()}
    return made | {"ensemble": together([made[name] for name in TOGETHER])}


def together(made: list[PhotoCaptioner]) -> PhotoCaptioner:
    """Those models as one; the encoder is that of the last."""
    last = made[-1]
    model = Ensemble([one.model for one in made])
    settings = last.tokenizer, DECODING, last.stored
    return PhotoCaptioner(last.encoder, model, last.vocabulary, *settings)


@pytest.fixture(scope="module")
def alone(captioners, tmp_path_factory) -> dict[str, dict]:
    """What the process says of each model."""
    folder = tmp_path_factory.mktemp("exports")
    paths = [str(folder / f"{i}.jpg") for i in range(len(PHOTOS))]
    for path, photo in zip(paths, PHOTOS):
        Path(path).write_bytes(photo)
    saved = [export(made, str(folder / name)) for name, made in captioners.items()]
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, ",".join(paths), *saved],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return dict(zip(captioners, json.loads(ran.stdout).values(), strict=True))


EVERY = pytest.mark.parametrize("name", KINDS)


@EVERY
def test_it_says_what_the_model_said_before_export(name, alone, captioners):
    live = live_captions(captioners[name], PHOTOS)
    said = alone[name]["serving_default"]
    assert said["caption"] == [row.caption for row in live]
    assert [bool(error) for error in said["error"]] == [False, False, True, False]
    assert len(set(said["score"])) == len(PHOTOS)
    np.testing.assert_allclose(said["score"], [row.score for row in live], rtol=1e-4)


@EVERY
def test_beams_and_words_belong_to_the_caption(name, alone):
    explained, best = alone[name]["explain"], alone[name]["serving_default"]
    assert [beams[0] for beams in explained["captions"]] == best["caption"]
    for i in GOOD:
        probabilities = [p for p in explained["probabilities"][i] if p]
        mean = np.log(probabilities).mean()
        np.testing.assert_allclose(mean, best["score"][i], rtol=1e-3)


@pytest.mark.parametrize("name", ["attention", "transformer", "ensemble"])
def test_where_a_model_looked_for_each_word(name, alone):
    explained = alone[name]["explain"]
    for i in GOOD:
        length = sum(map(bool, explained["words"][i]))
        looked = np.array(explained["attention"][i])
        assert looked.shape == (DECODING.max_length - 1, 16, 16)
        np.testing.assert_allclose(looked[:length].sum((1, 2)), 1, rtol=1e-4)
        assert not looked[length:].any()
    assert explained["fit"] == ["crop", "crop", "", "crop"]


@EVERY
def test_its_operations_are_tensorflows_own(name, alone):
    """None of another library, none that calls Python, and none that needs a GPU."""
    said = alone[name]
    assert said["unknown"] == said["not_on_cpu"] == []
    assert all(device.startswith("/device:CPU:") for device in said["devices"])
    assert "DecodeJpeg" in said["operations"]
    assert not [op for op in said["operations"] if "PyFunc" in op]
