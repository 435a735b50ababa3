"""The strategy of tf.distribute, by configuration or available devices."""

import pytest
import tensorflow as tf

from records.errors import UserError
from tfcap.training.distributed.strategies import (
    automatic,
    check_global_batch,
    make_strategy,
)


def test_a_global_batch_that_replicas_cannot_share():
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1", "CPU:2", "CPU:3"])
    with pytest.raises(UserError, match=r"is 10, which 4 replicas .* below is 8"):
        check_global_batch(10, strategy)
    check_global_batch(12, strategy)


def test_the_strategy_is_follows_from_the_devices(monkeypatch):
    assert [automatic(gpus) for gpus in (0, 1, 2)] == ["cpu", "gpu", "mirrored"]
    monkeypatch.setenv("TPU_NAME", "none-of-that-name")
    with pytest.raises(UserError, match="strategy: tpu, but none can be reached: "):
        make_strategy("auto")


def test_a_missing_gpu_is_refused():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="sees no GPU"):
        make_strategy("gpu")
