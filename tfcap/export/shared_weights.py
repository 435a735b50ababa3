"""Weights of an export as variables that its signatures share.

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
from tensorflow.core.protobuf.config_pb2 import ConfigProto
from tensorflow.core.protobuf.meta_graph_pb2 import CollectionDef
from tensorflow.python.grappler.tf_optimizer import OptimizeGraph

LARGE = 1024  # numbers; smaller constants are settings as often as weights
LARGEST = 65504.0  # of float16


class SharedWeights:
    """The weights of several graphs; equal ones are kept once.

    Args:
        half: keep matrices in float16; the graphs compute with them in float32. What
            is beyond float16's range stays at its edge.
    """

    def __init__(self, half: bool = False):
        self._half = half
        self._variables: dict[bytes, tf.Variable] = {}

    @property
    def variables(self) -> list[tf.Variable]:
        return list(self._variables.values())

    def share(self, frozen) -> Callable:
        """Puts the weights of a concrete function without variables with the others.

        Returns:
            A function of the same inputs; it gives the outputs as a list.
        """
        graph, weights = without_weights(fold_constants(frozen))
        # Folding changes functions, and keeps their names, which others know by now.
        graph.library.CopyFrom(frozen.graph.as_graph_def().library)
        values = (tf.make_ndarray(n.attr["value"].tensor) for n in weights.values())
        function = import_graph(graph, frozen, list(weights))
        return self.supply(function, values)

    def supply(self, function: Callable, values: Iterable[np.ndarray]) -> Callable:
        """Keeps the values of a function's last inputs; returns it without these."""
        readers = [self._reader(value) for value in values]
        return lambda *inputs: function(*inputs, *(read() for read in readers))

    def _reader(self, value: np.ndarray) -> Callable[[], tf.Tensor]:
        """Keeps a value; returns the function that reads it."""
        # Vectors stay whole: biases are small, and what bars a token is beyond float16.
        if not self._half or value.dtype != np.float32 or value.ndim < 2:
            return self._variable(value).read_value
        small = np.clip(value, -LARGEST, LARGEST).astype(np.float16)
        variable = self._variable(small)
        return lambda: tf.cast(variable.read_value(), tf.float32)

    def _variable(self, value: np.ndarray) -> tf.Variable:
        about = hashlib.sha256(f"{value.dtype}{value.shape}".encode())
        about.update(np.ascontiguousarray(value).data)
        digest = about.digest()
        if digest not in self._variables:
            self._variables[digest] = tf.Variable(value, trainable=False)
        return self._variables[digest]


def fold_constants(frozen) -> GraphDef:
    """Computes what follows from constants alone, as batch normalisation's factors.

    TensorFlow does so before the first run, but not with variables.
    """
    meta = tf.compat.v1.train.export_meta_graph(
        graph_def=frozen.graph.as_graph_def(), graph=frozen.graph
    )
    kept = CollectionDef()
    kept.node_list.value.extend(t.name for t in frozen.inputs + frozen.outputs)
    meta.collection_def["train_op"].CopyFrom(kept)
    config = ConfigProto()
    rewrite = config.graph_options.rewrite_options
    rewrite.optimizers.extend(["constfold", "dependency"])  # and what is unused goes
    rewrite.min_graph_nodes = -1  # small graphs too
    return OptimizeGraph(config, meta)


def without_weights(graph: GraphDef) -> tuple[GraphDef, dict]:
    """Replaces large constants by inputs.

    Returns:
        The graph, and each input's name -> the constant.
    """
    changed, weights = GraphDef(versions=graph.versions), {}
    nodes = {node.name: node for node in graph.node}
    for node in graph.node:
        if is_weight(node):
            given, *entering = entrances(node, nodes)
            changed.node.extend([given, *entering])
            weights[given.name] = node
        else:
            changed.node.append(node)
    return changed, weights


def is_weight(node) -> bool:
    """Whether a node is a large constant of numbers."""
    if node.op != "Const":
        return False
    dtype = tf.as_dtype(node.attr["dtype"].type)
    shape = [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
    return (dtype.is_floating or dtype.is_integer) and np.prod(shape) >= LARGE


def entrances(const, nodes: Mapping[str, Any]) -> list:
    """Returns what stands for a constant: an input, and its way into each loop.

    The last one has the constant's name.
    """
    loops = loops_around(const, nodes)
    names = [f"{const.name}/weight_{i}" for i in range(len(loops))] + [const.name]
    graph, kind = GraphDef(), const.attr["dtype"]
    given = graph.node.add(name=names[0], op="Placeholder", device=const.device)
    given.attr["dtype"].CopyFrom(kind)
    given.attr["shape"].shape.CopyFrom(const.attr["value"].tensor.tensor_shape)
    for loop, before, name in zip(loops, names, names[1:]):
        entering = graph.node.add(name=name, op="Enter", input=[before])
        entering.attr["T"].CopyFrom(kind)
        entering.attr["is_constant"].b = True
        for setting in ("frame_name", "parallel_iterations"):
            entering.attr[setting].CopyFrom(loop.attr[setting])
    return list(graph.node)


def loops_around(node, nodes: Mapping[str, Any]) -> list:
    """Returns an `Enter` node of each loop that a node is in, the outermost first."""
    found, left = [], 0  # loops that have been left on the way up
    while node.input:
        if node.op == "Exit":
            left += 1
        elif node.op == "Enter" and left:
            left -= 1
        elif node.op == "Enter":
            found.append(node)
        before = [nodes[re.sub(r"^\^|:\d+$", "", name)] for name in node.input]
        node = next(one for one in before if one.op != "NextIteration")
    return found[::-1]


def import_graph(graph: GraphDef, frozen, weights: list[str]):
    """Makes a function of a graph with the inputs of `frozen` and those of weights."""
    imported = tf.compat.v1.wrap_function(
        lambda: tf.import_graph_def(graph, name=""), []
    )
    inputs = [t.name for t in frozen.inputs] + [f"{name}:0" for name in weights]
    outputs = [t.name for t in frozen.outputs]
    tensors = imported.graph.get_tensor_by_name
    return imported.prune([*map(tensors, inputs)], [*map(tensors, outputs)])
