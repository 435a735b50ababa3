"""The model card of an export."""

from pathlib import Path

import pytest
from small_encoders import DECODING

from records.errors import UserError
from tfcap.export import (
    model_card,
)


def test_scores_on_the_model_card():
    settings = {"photos": 7, "references": 14, "beam_width": 3, "length_exponent": 1.0}
    settings |= {"seeds": [0], "checkpoints": ["epoch 1"], "scorer": "a scorer"}
    found = {"scores": {"cider": 0.5}, "shuffled_photos": {"cider": 0.125}}
    text = model_card.table("dev", {**found, "settings": settings})
    assert "| cider | 50.0 | 12.5 |" in text and "7 photos with 14 ref" in text
    found["intervals"] = {"cider": [0.4, 0.6]}
    text = model_card.table("dev", {**found, "settings": settings})
    assert "| cider | 50.0 (40.0 to 60.0) | 12.5 |" in text


@pytest.mark.parametrize("content", ["{", "[]", '{"settings": {"photos": 7}}'])
def test_scores_that_cannot_be_read_are_named(trained, content):
    path = Path(trained.folder("evaluation", "dev", "scores.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    try:
        with pytest.raises(UserError, match=r"scores\.json is not .*run that again"):
            model_card.describe([trained], DECODING)
    finally:
        path.unlink()
