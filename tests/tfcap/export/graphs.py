"""Reads the graph of an export."""

from pathlib import Path

from tensorflow.core.protobuf.saved_model_pb2 import SavedModel


def nodes_of(path: str) -> list:
    """Returns the nodes of an export's graph and of its functions."""
    content = Path(path, "saved_model.pb").read_bytes()
    graph = SavedModel.FromString(content).meta_graphs[0].graph_def
    return [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
