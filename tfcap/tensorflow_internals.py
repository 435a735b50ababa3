"""Uses what TensorFlow has no public name for; nothing else in tfcap does.

Tried with the oldest and the newest TensorFlow that `pyproject.toml` allows.
"""

from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)
from tensorflow.python.grappler.tf_optimizer import OptimizeGraph

__all__ = ["OptimizeGraph", "convert_variables_to_constants_v2"]
