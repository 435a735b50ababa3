"""Packages hand out their public names at first use."""

import subprocess
import sys
from importlib import import_module

import pytest

NAMES = {
    "tfcap.data": ["scoring_batches", "training_batches"],
    "tfcap.models": ["CaptioningModel", "build_model"],
    "tfcap.training": ["Trainer"],
}


@pytest.mark.parametrize("package", NAMES)
def test_a_package_has_its_public_names_alone(package):
    module = import_module(package)
    assert sorted(module.__all__) == NAMES[package]
    for name in NAMES[package]:
        assert getattr(module, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'unknown'"):
        _ = module.unknown


def test_importing_them_loads_no_tensorflow():
    code = (
        f"import sys, {', '.join(NAMES)}\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
