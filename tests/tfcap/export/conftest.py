"""A small run, and its export."""

import sys
from pathlib import Path

import pytest
import tensorflow as tf

from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec
from tfcap.config.loading import parse_config
from tfcap.encoders import load_encoder
from tfcap.export import model_card
from tfcap.export.builder import photo_captioner
from tfcap.export.saved_model import export
from tfcap.export.signatures import PhotoCaptioner
from tfcap.runs.workdir import Workdir
from tfcap.training.trainer import Trainer

sys.path.insert(0, str(Path(__file__).parent))  # for small_encoders and graphs


def begin(folder: Path, write, encoder_settings: dict) -> tuple[RecordSet, Workdir]:
    """Records that claim an encoder, and a work directory for them."""
    config = parse_config(
        {
            "encoder": encoder_settings,
            "model": {"image_units": 8, "lstm_units": 8, "embedding_units": 4},
            "training": {
                "epochs": 1,
                "global_batch": 4,
                "strategy": "cpu",
                "score_photos": 0,
            },
        },
        "test",
    )
    encoder = load_encoder(config.encoder)
    spec = FeatureSpec(shape=encoder.shape, dtype="float16")
    records = write(folder / "records", None, spec, config, encoder.info)
    path = str(folder / "run")
    return records, Workdir(path, config, records.manifest, records.vocabulary)


@pytest.fixture
def start(write_records, tmp_path):
    return lambda settings: begin(tmp_path, write_records, settings)


@pytest.fixture(scope="session")
def trained(tmp_path_factory, write_records) -> Workdir:
    """A work directory after one epoch."""
    from small_encoders import ENCODER

    folder = tmp_path_factory.mktemp("trained")
    records, workdir = begin(folder, write_records, ENCODER)
    Trainer(workdir.config, records, workdir.path).run()
    return Workdir.open(workdir.path)


@pytest.fixture(scope="session")
def captioner(trained) -> PhotoCaptioner:
    from small_encoders import DECODING

    return photo_captioner([trained], DECODING)


@pytest.fixture(scope="session")
def saved(trained, captioner, tmp_path_factory) -> Path:
    """The captioner's export, with its card."""
    card = model_card.describe(
        [trained], captioner.decoding, licence="only for this test"
    )
    return Path(export(captioner, str(tmp_path_factory.mktemp("out")), card=card))


@pytest.fixture(scope="session")
def model(saved):
    return tf.saved_model.load(str(saved))
