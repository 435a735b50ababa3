"""The encoder of the records in front of a trained model."""

import pytest
from small_encoders import ENCODER, custom_model

from records.errors import UserError
from tfcap.encoders.encoder import loaded
from tfcap.export.builder import encoder_of_records


def test_another_encoder_is_refused(start):
    _, workdir = start(ENCODER)
    other = workdir.config.encoder.model_copy(update={"seed": 7})
    workdir.config = workdir.config.model_copy(update={"encoder": other})
    with pytest.raises(UserError, match=r"not the one .*theirs with --encoder_weights"):
        encoder_of_records(workdir, {})
    with pytest.raises(UserError, match=r"^--encoder_model: .*with --encoder_weights$"):
        encoder_of_records(workdir, {"model": "own.keras"})


def test_a_model_that_was_moved_is_found_where_it_is_said_to_be(start, tmp_path):
    _, workdir = start(custom_model(tmp_path, pooling="flatten"))
    loaded.cache_clear()
    moved = str((tmp_path / "own.keras").rename(tmp_path / "moved.keras"))
    with pytest.raises(UserError, match=r"nothing at .*own.keras; .*--encoder_model P"):
        encoder_of_records(workdir, {})
    with pytest.raises(UserError, match=r"^--encoder_weights: .*with --encoder_model$"):
        encoder_of_records(workdir, {"weights": moved})
    found = encoder_of_records(workdir, {"model": moved})
    assert (found.info.name, found.shape) == ("moved.keras", (8 * 8 * 6,))


def test_another_model_at_the_same_place_is_refused(start, tmp_path):
    _, workdir = start(custom_model(tmp_path))
    loaded.cache_clear()
    custom_model(tmp_path)  # other weights are drawn
    with pytest.raises(UserError, match=r"own.keras is not the one .*_model$"):
        encoder_of_records(workdir, {})
