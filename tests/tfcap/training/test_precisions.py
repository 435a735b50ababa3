"""Every model trains in both low precisions, by one objective each."""

import numpy as np
import pytest
from training_steps import Steps

from records.format.schema import FeatureSpec
from tfcap.config.loading import parse_config
from tfcap.training.self_critical import SelfCritical

SLOW = pytest.mark.slow
VECTOR = {"image_units": 8, "lstm_units": 8, "embedding_units": 5}
CELLS = {"components": 2, "embedding_units": 8, "heads": 2}
ATTENTION = {"lstm_units": 8, "attention_units": 8, "output_units": 8}
MODELS = {
    "merge": VECTOR,
    "init": {**VECTOR, "photo": "init"},
    "attention": {"name": "attention", **CELLS, **ATTENTION},
    "transformer": {"name": "transformer", **CELLS, "feed_forward_units": 8},
}
CASES = [
    ("merge", "mixed_float16", True),
    pytest.param("merge", "mixed_bfloat16", False, marks=SLOW),
    pytest.param("init", "mixed_float16", False, marks=SLOW),
    pytest.param("init", "mixed_bfloat16", True, marks=SLOW),
    pytest.param("attention", "mixed_float16", True, marks=SLOW),
    ("attention", "mixed_bfloat16", False),
    ("transformer", "mixed_float16", True),
    pytest.param("transformer", "mixed_bfloat16", False, marks=SLOW),
]


@pytest.mark.parametrize(("name", "precision", "rewarded"), CASES)
def test_a_few_steps(make_records, name, precision, rewarded):
    spec = FeatureSpec(shape=(2, 2, 4), dtype="float16")
    records = make_records({"train": 8, "dev": 2}, spec)
    training = {
        "expansion": "causal",
        "schedule": {"kind": "constant", "rate": 0.02},
        "precision": precision,
        "self_critical": {"samples": 4} if rewarded else None,
    }
    decoding = {"max_length": 8}
    content = {"model": MODELS[name], "training": training, "decoding": decoding}
    config = parse_config(content, "test")
    objective = SelfCritical.of(config, records) if rewarded else None
    steps = Steps(config, records, objective=objective)
    steps.model.prepare(records)
    before, results = steps.model.get_weights(), []
    for epoch in range(4):
        steps.start_epoch(epoch)
        results += steps.take(1)
    assert np.isfinite(
        [(result.loss, result.gradient_norm) for result in results]
    ).all()
    pairs = zip(before, steps.model.get_weights(), strict=True)
    assert any(np.any(old != other) for old, other in pairs)
    if not rewarded:  # the reward of captions drawn falls as well as rises
        assert results[-1].loss < results[0].loss
