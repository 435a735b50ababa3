"""How many operations a step starts, as traced for a GPU.

Nothing runs here: Grappler simplifies the graph, and nodes that do no work are left
out. An upper limit keeps a change from starting more.
"""

import pytest
import tensorflow as tf
from training_steps import Steps, settings

from records.format.schema import FeatureSpec
from tfcap.config.loading import parse_config
from tfcap.tensorflow_internals import OptimizeGraph
from tfcap.training import train_step

IDLE = {
    *("Const", "Placeholder", "NoOp", "Identity", "IdentityN", "Reshape"),
    *("ExpandDims", "Squeeze", "ReadVariableOp", "VarHandleOp", "StopGradient"),
}
STEPS = ("function", "constfold", "arithmetic", "dependency", "pruning")
GRID = FeatureSpec(shape=(2, 2, 4), dtype="float32")
UNITS = {"embedding_units": 8, "heads": 2}
MODELS = {
    "attention": {
        **{"name": "attention", "lstm_units": 8, "attention_units": 8},
        **{"output_units": 8, "text_dropout": 0.3, "hidden_dropout": 0.4},
        "output_dropout": 0.4,
    },
    "transformer": {"name": "transformer", "feed_forward_units": 8, "layers": 2},
}


def working(function) -> list[str]:
    """Returns the types of the operations that work in a function's graph."""
    graph = function.graph
    meta = tf.compat.v1.train.export_meta_graph(
        graph_def=graph.as_graph_def(), graph=graph
    )
    outputs = [output.name for output in function.outputs]
    meta.collection_def["train_op"].node_list.value.extend(outputs)
    config = tf.compat.v1.ConfigProto()
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1
    options.optimizers.extend(STEPS)
    nodes = OptimizeGraph(config, meta).node
    return [node.op for node in nodes if node.op not in IDLE]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("attention", 680), ("transformer", 1400)])
def test_a_step_starts_no_more_than_it_did(
    make_records, monkeypatch, a_gpu, name, most
):
    training = settings(average_decay=0.9).training.model_dump()
    config = parse_config({"model": UNITS | MODELS[name], "training": training}, "test")
    monkeypatch.setattr(train_step, "device_of", lambda strategy: "GPU")
    steps = Steps(config, make_records(spec=GRID))
    operations = working(steps.step.get_concrete_function(steps.batches))
    assert operations.count("ResourceApplyAdam") == 1
    assert len(operations) <= most
