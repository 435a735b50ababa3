"""What graphs hold for each kind of device, looked up in TensorFlow's registry."""

import pytest
import tensorflow as tf
from tensorflow.python.framework.kernels import get_registered_kernels_for_op
from test_attending_models import batch as grids
from test_attending_models import build as attending
from test_models import batch as vectors
from test_models import build as merging

from tfcap.data.expansion import expand_causal
from tfcap.ops.dispatch import device_of, kernels_for
from tfcap.training.distributed.strategies import mirrored
from tfcap.training.objectives import token_losses

MODELS = {
    "merge": (merging, vectors),
    "init": (lambda: merging(photo="init"), vectors),
    "attention": (lambda: attending("attention"), grids),
    "transformer": (lambda: attending("transformer"), grids),
}
CUDNN = {"CudnnRNNV3", "CudnnRNNBackpropV3"}


def operations(name: str, device: str | None) -> set[str]:
    """Returns all operations in the graph of a model's loss and gradient.

    Args:
        device: for which it is traced, as `kernels_for` takes it.
    """
    make, batch = MODELS[name]
    model, given = make(), batch(expand_causal)
    variables = [variable.value for variable in model.trainable_variables]
    seed = tf.constant([1, 2, 3])

    def differentiate(batch):
        with kernels_for(device), tf.GradientTape() as tape:
            loss = tf.reduce_sum(token_losses(model, batch, 0.1, seed))
        return tape.gradient(loss, variables)

    def spec(values, axes):
        return tf.TensorSpec([None] * axes + values.shape[axes:], values.dtype)

    specs = {n: spec(values, values.shape.rank) for n, values in given.items()}
    specs["features"] = spec(given["features"], 1)
    traced = tf.function(differentiate, autograph=False).get_concrete_function(specs)
    graph = traced.graph.as_graph_def()
    functions = graph.library.function
    nodes = [*graph.node, *(node for f in functions for node in f.node_def)]
    fed = {f.signature.name for f in functions} | {"Placeholder"}
    return {node.op for node in nodes} - fed


def without_kernel(called: set[str], *devices: str) -> set[str]:
    """Returns the operations that none of these kinds of device has."""

    def kinds(op):
        kernels = get_registered_kernels_for_op(op).kernel
        return {kernel.device_type for kernel in kernels}

    return {op for op in called if not kinds(op) & set(devices)}


@pytest.mark.parametrize("name", MODELS)
def test_a_step_for_a_gpu_has_the_lstm_of_cudnn(a_gpu, name):
    called = operations(name, "GPU")
    assert not without_kernel(called, "GPU", "DEFAULT")
    assert ("CudnnRNNV3" in called) == (name != "transformer")


@pytest.mark.parametrize("name", MODELS)
def test_a_graph_for_any_device_runs_on_each(a_gpu, name):
    called = operations(name, None)
    assert not without_kernel(called, "CPU", "DEFAULT")
    assert not without_kernel(called, "GPU", "DEFAULT")


@pytest.mark.parametrize("name", MODELS)
def test_xla_can_compile_a_step_for_a_gpu(a_gpu, name):
    tf.function(lambda: tf.zeros([]), jit_compile=True)()  # registers XLA's kernels
    assert not without_kernel(operations(name, "XLA"), "XLA_GPU_JIT")


def test_the_device_is_that_of_the_strategy():
    """On a machine with a GPU a run may be told to use the CPU."""
    one = tf.distribute.OneDeviceStrategy
    assert [device_of(one(name)) for name in ("/cpu:0", "/gpu:0")] == ["CPU", "GPU"]
    assert device_of(mirrored(tf.config.list_logical_devices("CPU")[:2])) == "CPU"
