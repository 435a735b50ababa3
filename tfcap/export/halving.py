"""Weights kept in float16: half the bytes on disk and in memory."""

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef

LARGE = 1024  # numbers; smaller constants are settings as often as weights
LARGEST = 65504.0  # of float16


def with_half_weights(frozen):
    """The function with each large float32 constant as float16 and a cast.

    What is beyond float16's range stays at its edge. The graph computes in float32.
    """
    graph = GraphDef()
    for node in frozen.graph.as_graph_def().node:
        if is_weight(node):
            graph.node.extend(halved(node))
        else:
            graph.node.append(node)
    graph.library.CopyFrom(frozen.graph.as_graph_def().library)
    imported = tf.compat.v1.wrap_function(
        lambda: tf.import_graph_def(graph, name=""), []
    )
    inputs, outputs = (
        [imported.graph.get_tensor_by_name(tensor.name) for tensor in tensors]
        for tensors in (frozen.inputs, frozen.outputs)
    )
    return imported.prune(inputs, outputs)


def is_weight(node) -> bool:
    if node.op != "Const" or node.attr["dtype"].type != tf.float32.as_datatype_enum:
        return False
    shape = [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
    # Vectors stay: biases are small, and what bars a token is beyond float16.
    return len(shape) > 1 and np.prod(shape) >= LARGE


def halved(node) -> list:
    """A float16 constant, and a cast under the name of the float32 one."""
    values = tf.make_ndarray(node.attr["value"].tensor)
    small = np.clip(values, -LARGEST, LARGEST).astype(np.float16)
    graph = GraphDef()
    const, cast = graph.node.add(), graph.node.add()
    const.name, const.op = f"{node.name}/half", "Const"
    const.input.extend(node.input)  # of control alone: they keep it in its loop
    const.attr["dtype"].type = tf.float16.as_datatype_enum
    const.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(small))
    cast.name, cast.op = node.name, "Cast"
    cast.input.append(const.name)
    cast.attr["SrcT"].type = tf.float16.as_datatype_enum
    cast.attr["DstT"].type = tf.float32.as_datatype_enum
    return [const, cast]
