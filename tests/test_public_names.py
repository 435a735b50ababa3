"""The names that `docs/reference/python_api.md` promises."""

import importlib
import subprocess
import sys

import pytest

NAMES = {
    "beam_jobs": ("Source", "register_source"),
    "tfcap": ("Captioner", "Config", "UserError", "__version__", "load_config"),
    "tfcap.data": ("scoring_batches", "training_batches"),
    "tfcap.decoding": ("search",),
    "tfcap.evaluation": ("evaluate",),
    "tfcap.export": ("export", "photo_captioner"),
    "tfcap.models": ("CaptioningModel", "build_model"),
    "tfcap.serving": ("create_app",),
    "tfcap.training": ("Trainer",),
    "records": (
        *("FeatureSpec", "Manifest", "PhotoRecord", "RecordSet", "ShardWriter"),
        *("Tokenizer", "Vocabulary", "verify"),
    ),
}


@pytest.mark.parametrize("package", NAMES)
def test_every_name_is_there_and_listed(package):
    module = importlib.import_module(package)
    for name in NAMES[package]:
        assert getattr(module, name) is not None
        assert name in module.__all__


@pytest.mark.parametrize("package", NAMES)
def test_importing_a_package_loads_no_tensorflow(package):
    code = f"import sys, {package}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_name_that_is_none():
    with pytest.raises(AttributeError, match="module 'records' has no attribute 'x'"):
        importlib.import_module("records").x  # noqa: B018
