"""KerasHub is an extra: a missing or broken one is explained."""

import sys

import own_models
import pytest

from records.errors import UserError
from tfcap.config.encoder import PresetConfig
from tfcap.encoders import keras_file
from tfcap.encoders.preset import load


def test_a_missing_kerashub_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(UserError, match=r"package keras_hub, .*: pip install .*hub"):
        load(PresetConfig(preset="clip_vit_base_patch32"))


def test_a_keras_file_of_kerashub_says_so_too(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    layer = {"module": "keras_hub.src.models", "class_name": "X", "config": {}}
    content = {"config": {"layers": [layer]}}
    monkeypatch.setattr(keras_file, "read_archive", lambda *_: (content, b""))
    with pytest.raises(UserError, match=r"package keras_hub, .*: pip install"):
        keras_file.load(own_models.own(str(tmp_path / "a.keras")), "a.keras")


def test_a_kerashub_that_does_not_fit(monkeypatch, tmp_path):
    broken = tmp_path / "keras_hub.py"
    broken.write_text("from keras import no_such_name")
    monkeypatch.delitem(sys.modules, "keras_hub", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match=r"cannot be imported: .*no_such_name"):
        load(PresetConfig(preset="clip_vit_base_patch32"))
    monkeypatch.delitem(sys.modules, "keras_hub", raising=False)
