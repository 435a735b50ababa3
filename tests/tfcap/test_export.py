"""From records to a SavedModel, with a real (random) encoder in front."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from records.errors import UserError
from records.schema import FeatureSpec
from tfcap.captioning import Captioner
from tfcap.config import DecodingConfig, EncoderConfig, parse_config
from tfcap.decoding import detokenize, search
from tfcap.encoders import load_encoder
from tfcap.export import PhotoCaptioner, export, photo_captioner
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


@pytest.fixture
def trained(make_records, tmp_path):
    """A work directory after one epoch, on records that claim the encoder below."""
    encoder = load_encoder(EncoderConfig(**ENCODER, pooling="avg"))
    config = parse_config(
        {
            "encoder": ENCODER,
            "model": {"image_units": 8, "lstm_units": 8, "embedding_units": 4},
            "training": {"epochs": 1, "global_batch": 4, "strategy": "cpu"},
        },
        "test",
    )
    spec = FeatureSpec(shape=encoder.shape, dtype="float16")
    records = make_records(spec=spec, config=config, encoder=encoder.info)
    Trainer(config, records, str(tmp_path / "run")).run()
    return Workdir.open(str(tmp_path / "run"))


def test_the_export_says_what_the_model_says(trained, tmp_path):
    photos = [jpeg(seed) for seed in range(5)]
    export(photo_captioner(trained, DECODING), str(tmp_path / "export"))
    captioned = Captioner.load(str(tmp_path / "export")).caption(photos)

    model, _ = trained.restore_best()
    features, _ = load_encoder(trained.config.encoder).encode(photos)
    stored = features.astype(np.float16)  # as the records hold them
    found = search(model, tf.constant(stored), DECODING, trained.vocabulary)
    expected = detokenize(found.tokens[:, 0], trained.vocabulary).numpy()
    assert [row.caption for row in captioned] == [text.decode() for text in expected]
    scores = [row.score for row in captioned]
    np.testing.assert_allclose(scores, found.mean_log_probability()[:, 0], rtol=1e-5)


def test_it_runs_in_a_process_that_imports_tensorflow_alone(trained, tmp_path):
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


def test_another_encoder_is_refused(trained):
    other = trained.config.encoder.model_copy(update={"seed": 7})
    trained.config = trained.config.model_copy(update={"encoder": other})
    with pytest.raises(UserError, match=r"not the one .*--encoder_weights FILE"):
        photo_captioner(trained, DECODING)


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
