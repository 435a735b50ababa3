"""What TensorFlow has no public name for is there, in the TensorFlow installed."""

import re
from pathlib import Path

import tensorflow as tf

from tfcap import tensorflow_internals as internals

TENSORFLOW = f"tensorflow {tf.__version__}"
ROOT = Path(__file__).parents[2]


def test_variables_become_constants():
    weight = tf.Variable(2.0)
    traced = tf.function(lambda x: x * weight).get_concrete_function(tf.constant(1.0))
    constant = internals.convert_variables_to_constants_v2(traced)
    assert not constant.variables, TENSORFLOW
    assert float(constant(tf.constant(3.0))[0]) == 6.0, TENSORFLOW


def test_no_other_module_uses_private_names():
    private = re.compile(
        r"^\s*(from|import) (tensorflow\.python|keras\.src)", re.MULTILINE
    )
    users = [
        path.name
        for package in ("records", "tfcap", "beam_jobs")
        for path in (ROOT / package).rglob("*.py")
        if private.search(path.read_text("utf-8"))
    ]
    assert users == ["tensorflow_internals.py"]
