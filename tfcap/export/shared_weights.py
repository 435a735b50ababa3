"""Turns the weights of an export into variables that its signatures share.

TensorFlow copies a constant for each function that holds it and each signature that
runs it: 97 MB of weights took 1.5 GB. A variable is in memory once.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.meta_graph_pb2 import CollectionDef

from tfcap.tensorflow_internals import OptimizeGraph

LARGE = 1024  # numbers; smaller constants are settings as often as weights
LARGEST = 65504.0  # of float16


class SharedWeights:
    """A store of the weights of several graphs, which keeps equal weights once.

    Args:
        half: keep matrices in float16; the graphs compute with them in float32. Values
            beyond float16's range are clipped to it.
    """

    def __init__(self, half: bool = False):
        self._half = half
        self._variables: dict[bytes, tf.Variable] = {}

    @property
    def variables(self) -> list[tf.Variable]:
        return list(self._variables.values())

    def share(self, frozen: Any) -> Callable:
        """Keeps the weights of a concrete function without variables.

        Returns:
            A function of the same inputs that returns the outputs as a list.
        """
        graph, weights = without_weights(fold_constants(frozen))
        # Folding changes functions but not their names, under which TensorFlow already
        # has the original ones.
        graph.library.CopyFrom(frozen.graph.as_graph_def().library)
        values = (tf.make_ndarray(n.attr["value"].tensor) for n in weights.values())
        function = import_graph(graph, frozen, list(weights))
        return self.supply(function, values)

    def supply(self, function: Callable, values: Iterable[np.ndarray]) -> Callable:
        """Keeps the values of a function's last inputs; returns it without them."""
        readers = [self._reader(value) for value in values]
        return lambda *inputs: function(*inputs, *(read() for read in readers))

    def _reader(self, value: np.ndarray) -> Callable[[], tf.Tensor]:
        """Keeps a value; returns the function that reads it."""
        # Vectors stay float32: biases are small, and masks exceed float16's range.
        if not self._half or value.dtype != np.float32 or value.ndim < 2:
            return self._variable(value).read_value
        small = np.clip(value, -LARGEST, LARGEST).astype(np.float16)
        variable = self._variable(small)
        return lambda: tf.cast(variable.read_value(), tf.float32)

    def _variable(self, value: np.ndarray) -> tf.Variable:
        digest = hashlib.sha256(f"{value.dtype}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).data)
        key = digest.digest()
        if key not in self._variables:
            self._variables[key] = tf.Variable(value, trainable=False)
        return self._variables[key]


def fold_constants(frozen: Any) -> GraphDef:
    """Computes expressions of constants, such as batch normalisation's factors.

    TensorFlow folds constants before the first run, but it cannot fold variables.
    """
    meta = tf.compat.v1.train.export_meta_graph(
        graph_def=frozen.graph.as_graph_def(), graph=frozen.graph
    )
    inputs_and_outputs = CollectionDef()  # the optimizer keeps these
    names = (tensor.name for tensor in frozen.inputs + frozen.outputs)
    inputs_and_outputs.node_list.value.extend(names)
    meta.collection_def["train_op"].CopyFrom(inputs_and_outputs)
    config = ConfigProto()
    rewrite = config.graph_options.rewrite_options
    rewrite.optimizers.extend(["constfold", "dependency"])  # prunes too
    rewrite.min_graph_nodes = -1  # small graphs too
    return OptimizeGraph(config, meta)


def without_weights(graph: GraphDef) -> tuple[GraphDef, dict[str, NodeDef]]:
    """Replaces large constants by inputs.

    Returns:
        The graph, and each input's name -> the constant.
    """
    changed, weights = GraphDef(versions=graph.versions), {}
    nodes = {node.name: node for node in graph.node}
    for node in graph.node:
        if is_weight(node):
            placeholder, *enter_nodes = entrances(node, nodes)
            changed.node.extend([placeholder, *enter_nodes])
            weights[placeholder.name] = node
        else:
            changed.node.append(node)
    return changed, weights


def is_weight(node: NodeDef) -> bool:
    """Returns whether a node is a large constant of numbers."""
    if node.op != "Const":
        return False
    dtype = tf.as_dtype(node.attr["dtype"].type)
    shape = [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
    return (dtype.is_floating or dtype.is_integer) and np.prod(shape) >= LARGE


def entrances(const: NodeDef, nodes: Mapping[str, NodeDef]) -> list[NodeDef]:
    """Returns the nodes that replace a constant: an input, and an `Enter` per loop.

    The last of them has the constant's name.
    """
    loops = loops_around(const, nodes)
    names = [f"{const.name}/weight_{i}" for i in range(len(loops))] + [const.name]
    graph, dtype = GraphDef(), const.attr["dtype"]
    placeholder = graph.node.add(name=names[0], op="Placeholder", device=const.device)
    placeholder.attr["dtype"].CopyFrom(dtype)
    placeholder.attr["shape"].shape.CopyFrom(const.attr["value"].tensor.tensor_shape)
    for loop, before, name in zip(loops, names, names[1:]):
        enter = graph.node.add(name=name, op="Enter", input=[before])
        enter.attr["T"].CopyFrom(dtype)
        enter.attr["is_constant"].b = True
        for setting in ("frame_name", "parallel_iterations"):
            enter.attr[setting].CopyFrom(loop.attr[setting])
    return list(graph.node)


def loops_around(node: NodeDef, nodes: Mapping[str, NodeDef]) -> list[NodeDef]:
    """Returns an `Enter` node of each loop around a node, the outermost first.

    The walk goes from a node to its inputs. An `Exit` on the way belongs to a loop that
    does not contain the node, and so does the `Enter` that matches it.
    """
    loops: list[NodeDef] = []
    exits = 0  # without their `Enter` so far
    while node.input:
        if node.op == "Exit":
            exits += 1
        elif node.op == "Enter" and exits:
            exits -= 1
        elif node.op == "Enter":
            loops.append(node)
        inputs = [nodes[re.sub(r"^\^|:\d+$", "", name)] for name in node.input]
        node = next(each for each in inputs if each.op != "NextIteration")
    return loops[::-1]


def import_graph(graph: GraphDef, frozen: Any, weights: list[str]) -> Callable:
    """Returns a function of a graph; its inputs are those of `frozen`, then weights."""
    imported = tf.compat.v1.wrap_function(
        lambda: tf.import_graph_def(graph, name=""), []
    )
    inputs = [t.name for t in frozen.inputs] + [f"{name}:0" for name in weights]
    outputs = [t.name for t in frozen.outputs]
    tensors = imported.graph.get_tensor_by_name
    return imported.prune([*map(tensors, inputs)], [*map(tensors, outputs)])
