"""Every kind of encoder and features: written, read back, trained on."""

import keras
import numpy as np
import pytest
from small_data import build, small_config

from beam_jobs.build_job import Job
from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec
from records.verification.verifier import verify
from tfcap.config.loading import parse_config
from tfcap.encoders import load_encoder
from tfcap.evaluation.evaluator import caption_split
from tfcap.runs.ensemble import feature_sources
from tfcap.training.trainer import Trainer

BY_NAME = {
    "name": "mobilenet",
    "weights": "random",
    "input_size": 32,
    "layer": "conv_pw_5_relu",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Paths of a model of one's own, saved both ways."""
    folder = tmp_path_factory.mktemp("models")
    cells = keras.layers.Conv2D(6, 3, 8, "same")
    model = keras.Sequential([keras.Input([32, 32, 3]), cells])
    model.save(folder / "own.keras")
    model.export(folder / "exported", verbose=False)
    return {name: str(folder / name) for name in ("own.keras", "exported")}


@pytest.fixture
def make_records(data, tmp_path):
    def make(encoder_settings: dict) -> RecordSet:
        config = small_config(encoder=encoder_settings)
        encoder = load_encoder(config.encoder)
        job = Job(
            **{
                **vars(data.job(tmp_path / "records")),
                "config": config,
                "encoder": encoder.info,
                "features": FeatureSpec(shape=encoder.shape, dtype="float32"),
            }
        )
        build(job, "--direct_num_workers=1", encoder_for=load_encoder)
        return RecordSet.open(job.output)

    return make


def assert_whole(records: RecordSet, data, shape: tuple[int, ...], config) -> None:
    """The set verifies, and a record's features are those of its photo."""
    assert verify(records.directory).problems == ()
    assert records.manifest.features.shape == shape
    for record in records.records("dev"):
        photo = (data.photos / record.photo_id).read_bytes()
        expected, _ = load_encoder(config).encode([photo])
        np.testing.assert_allclose(record.features, expected[0], 1e-4, 1e-7)


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({}, (256,)),
        ({"pooling": "flatten"}, (4 * 4 * 256,)),
        ({"pooling": "grid", "flip": True}, (4, 4, 256)),
        ({"crops": 5, "flip": True}, (256,)),
    ],
)
def test_features_of_a_network_by_name(make_records, data, changes, shape):
    settings = {**BY_NAME, **changes}
    records = make_records(settings)
    config = parse_config({"encoder": settings}, "test").encoder
    assert_whole(records, data, shape, config)
    info = records.manifest.encoder
    assert (info.crops, info.flip) == (config.crops, config.flip)


@pytest.mark.parametrize("name", ["own.keras", "exported"])
def test_features_of_a_model_of_ones_own(make_records, data, models, name):
    settings = {"model": models[name], "preprocessing": "unit", "pooling": "grid"}
    records = make_records(settings)
    config = parse_config({"encoder": settings}, "test").encoder
    assert_whole(records, data, (4, 4, 6), config)
    assert records.manifest.encoder.name == name
    # What made the records can be rebuilt from their manifest.
    made_by = parse_config(records.manifest.configuration, "test").encoder
    assert load_encoder(made_by).info == records.manifest.encoder


@pytest.mark.slow
@pytest.mark.parametrize("pooling", ["flatten", "grid"])
def test_a_model_trains_on_every_kind_of_features(make_records, tmp_path, pooling):
    """The merge model takes the mean over the cells of a grid."""
    settings = {**BY_NAME, "pooling": pooling}
    records = make_records(settings)
    config = parse_config(
        {
            "encoder": settings,
            "tokenizer": {"min_count": 1},
            "model": {
                "image_units": 32,
                "lstm_units": 32,
                "embedding_units": 16,
                "standardize": False,
                "image_dropout": 0.0,
                "text_dropout": 0.0,
            },
            "training": {
                "epochs": 25,
                "global_batch": 2,
                "strategy": "cpu",
                "schedule": {"kind": "constant", "rate": 0.01},
            },
        },
        "test",
    )
    trainer = Trainer(config, records, str(tmp_path / "run"))
    trainer.run()
    decoding = config.decoding.resolve_max_length(records.manifest.longest_caption)
    sources = feature_sources(trainer.model, [records])
    captions, _ = caption_split(trainer.model, sources, "train", decoding)
    assert len(captions) == 6
    assert all(text.startswith("a dog ") for text in captions.values()), captions
