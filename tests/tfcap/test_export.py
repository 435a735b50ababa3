"""From records to a SavedModel, with a real (random) encoder in front."""

import io
import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from records.errors import UserError
from records.reader import RecordSet
from records.schema import FeatureSpec
from tfcap.captioning import Captioner
from tfcap.config import DecodingConfig, EncoderConfig, parse_config
from tfcap.decoding import detokenize, search
from tfcap.encoders import load_encoder
from tfcap.encoders.encoder import loaded
from tfcap.export import (
    PhotoCaptioner,
    encoder_of_records,
    export,
    photo_captioner,
)
from tfcap.models.merge import MergeCaptioner
from tfcap.training import Trainer
from tfcap.workdir import Workdir

ENCODER = {"name": "mobilenet", "weights": "random", "input_size": 32, "layer": "conv1"}
DECODING = DecodingConfig(beam_width=3, max_length=8)
ALONE = """
import json, sys
sys.modules["keras"] = sys.modules["tensorflow_text"] = sys.modules["tfcap"] = None
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
photos = [tf.io.read_file(path) for path in sys.argv[2:]]
found = model.signatures["serving_default"](image_bytes=tf.stack(photos))
captions = [text.decode() for text in found["caption"].numpy()]
print(json.dumps([captions, found["score"].numpy().tolist()]))
"""


def jpeg(seed: int) -> bytes:
    colours = np.random.default_rng(seed).integers(0, 255, [4, 4, 3], np.uint8)
    file = io.BytesIO()
    Image.fromarray(colours).resize([40, 30]).save(file, "JPEG")
    return file.getvalue()


def own_model(folder: Path, **settings) -> dict:
    """Settings of an encoder whose model is a file in `folder`."""
    cells = keras.layers.Conv2D(6, 3, 4, "same")
    keras.Sequential([keras.Input([32, 32, 3]), cells]).save(folder / "own.keras")
    path = str(folder / "own.keras")
    return {"model": path, "preprocessing": "unit", **settings}


@pytest.fixture
def start(make_records, tmp_path):
    """Makes records that claim an encoder, and a work directory for them."""

    def start(encoder_settings: dict) -> tuple[RecordSet, Workdir]:
        encoder = load_encoder(EncoderConfig(**encoder_settings))
        config = parse_config(
            {
                "encoder": encoder_settings,
                "model": {"image_units": 8, "lstm_units": 8, "embedding_units": 4},
                "training": {"epochs": 1, "global_batch": 4, "strategy": "cpu"},
            },
            "test",
        )
        spec = FeatureSpec(shape=encoder.shape, dtype="float16")
        records = make_records(spec=spec, config=config, encoder=encoder.info)
        path = str(tmp_path / "run")
        return records, Workdir(path, config, records.manifest, records.vocabulary)

    return start


@pytest.fixture
def train(start):
    """A work directory after one epoch."""

    def train(encoder_settings: dict) -> Workdir:
        records, workdir = start(encoder_settings)
        Trainer(workdir.config, records, workdir.path).run()
        return Workdir.open(workdir.path)

    return train


@pytest.fixture
def trained(train) -> Workdir:
    return train(ENCODER)


def test_the_export_says_what_the_model_says(trained, tmp_path):
    photos = [jpeg(seed) for seed in range(5)]
    export(photo_captioner(trained, DECODING), str(tmp_path / "export"))
    captioned = Captioner.load(str(tmp_path / "export")).caption(photos)

    model, _ = trained.restore_best()
    features, _ = load_encoder(trained.config.encoder).encode(photos)
    stored = features.astype(np.float16)  # as the records hold them
    found = search(model, tf.constant(stored), DECODING, trained.vocabulary)
    expected = detokenize(
        found.tokens[:, 0], trained.vocabulary, trained.manifest.tokenizer
    ).numpy()
    assert [row.caption for row in captioned] == [text.decode() for text in expected]
    scores = [row.score for row in captioned]
    np.testing.assert_allclose(scores, found.mean_log_probability()[:, 0], rtol=1e-5)


@pytest.mark.parametrize("own", [False, True], ids=["by_name", "own_with_views"])
def test_it_runs_in_a_process_that_imports_tensorflow_alone(train, tmp_path, own):
    settings = own_model(tmp_path, crops=5, flip=True) if own else ENCODER
    trained = train(settings)
    photos = [jpeg(seed) for seed in range(3)]
    paths = [str(tmp_path / f"{i}.jpg") for i in range(3)]
    for path, photo in zip(paths, photos):
        with open(path, "wb") as file:
            file.write(photo)
    saved = export(photo_captioner(trained, DECODING), str(tmp_path / "export"))
    here = Captioner.load(saved).caption(photos)
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, saved, *paths],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    captions, scores = json.loads(ran.stdout)
    assert captions == [row.caption for row in here]
    np.testing.assert_allclose(scores, [row.score for row in here], rtol=1e-5)


def test_another_encoder_is_refused(start):
    _, workdir = start(ENCODER)
    other = workdir.config.encoder.model_copy(update={"seed": 7})
    workdir.config = workdir.config.model_copy(update={"encoder": other})
    with pytest.raises(UserError, match=r"not the one .*theirs with --encoder_weights"):
        encoder_of_records(workdir, {})
    with pytest.raises(UserError, match=r"^--encoder_model: .*with --encoder_weights$"):
        encoder_of_records(workdir, {"model": "own.keras"})


def test_a_model_that_was_moved_is_found_where_it_is_said_to_be(start, tmp_path):
    _, workdir = start(own_model(tmp_path, pooling="flatten"))
    loaded.cache_clear()
    moved = str((tmp_path / "own.keras").rename(tmp_path / "moved.keras"))
    with pytest.raises(UserError, match=r"nothing at .*own.keras; .*--encoder_model P"):
        encoder_of_records(workdir, {})
    with pytest.raises(UserError, match=r"^--encoder_weights: .*with --encoder_model$"):
        encoder_of_records(workdir, {"weights": moved})
    found = encoder_of_records(workdir, {"model": moved})
    assert (found.info.name, found.shape) == ("moved.keras", (8 * 8 * 6,))


def test_another_model_at_the_same_place_is_refused(start, tmp_path):
    _, workdir = start(own_model(tmp_path))
    loaded.cache_clear()
    own_model(tmp_path)  # other weights are drawn
    with pytest.raises(UserError, match=r"own.keras is not the one .*_model$"):
        encoder_of_records(workdir, {})


def test_an_export_is_not_replaced_unasked(trained, tmp_path):
    captioner = photo_captioner(trained, DECODING)
    export(captioner, str(tmp_path / "export"))
    with pytest.raises(UserError, match="exists; add --overwrite"):
        export(captioner, str(tmp_path / "export"))
    export(captioner, str(tmp_path / "export"), overwrite=True)


def test_a_single_photo_is_a_batch_too(trained):
    captioner = photo_captioner(trained, DecodingConfig(beam_width=1, max_length=8))
    assert isinstance(captioner, PhotoCaptioner)
    assert isinstance(captioner.model, MergeCaptioner)
    found = captioner.serve(tf.constant([jpeg(1)]))
    assert found["caption"].shape == found["score"].shape == [1]
