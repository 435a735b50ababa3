"""The encoder that records were made with, found again by their manifest."""

from importlib.metadata import entry_points

import pytest

from records.errors import UserError
from records.verification.feature_check import GROUP
from tfcap.config.encoder import NetworkConfig
from tfcap.config.loading import parse_config
from tfcap.encoders import load_encoder
from tfcap.encoders.from_manifest import load_recorded

SETTINGS = {"name": "mobilenet", "weights": "random", "input_size": 32, "seed": 3}


@pytest.fixture
def match_records(make_records):
    """A record set that claims an encoder; its features are not that encoder's."""

    def make(settings):
        return make_records(config=parse_config({"encoder": settings}, "test"))

    return make


def test_it_is_the_one_that_records_find():
    (entry,) = entry_points(group=GROUP)
    assert entry.load() is load_recorded


def test_the_encoder_of_the_configuration(match_records):
    found = load_recorded(match_records(SETTINGS).manifest, {})
    assert found.info == load_encoder(NetworkConfig(**SETTINGS)).info


def test_weights_that_moved(match_records, tmp_path):
    settings = {**SETTINGS, "weights": str(tmp_path / "gone.weights.h5")}
    manifest = match_records(settings).manifest
    with pytest.raises(UserError, match=r"gone\.w.* \(here: --encoder_weights\)"):
        load_recorded(manifest, {})
    found = load_recorded(manifest, {"weights": "random"})
    assert found.info.weights == "random"


def test_a_model_that_moved(match_records, tmp_path):
    settings = {"model": str(tmp_path / "gone.keras"), "preprocessing": "unit"}
    manifest = match_records(settings).manifest
    with pytest.raises(UserError, match=r"gone\.keras.* \(here: --encoder_model\)"):
        load_recorded(manifest, {})
    with pytest.raises(UserError, match="is said with --encoder_model"):
        load_recorded(manifest, {"weights": "random"})


def test_a_configuration_that_is_none(match_records):
    manifest = match_records(SETTINGS).manifest
    broken = manifest.model_copy(update={"configuration": {"encoder": {"nam": "x"}}})
    with pytest.raises(UserError, match=r"configuration in dataset\.json: .*'name'"):
        load_recorded(broken, {})
