import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcap.config.experiment import Config
from tfcap.config.loading import parse_config
from tfcap.data import fit_pairs, token_loss, training_batches
from tfcap.models import build_model
from tfcap.training.objectives import count_targets, token_losses

MERGE = {"name": "merge", "image_units": 8, "embedding_units": 6, "lstm_units": 8}


def experiment(expansion: str) -> Config:
    training = {"expansion": expansion, "global_batch": 4}
    return parse_config({"model": MERGE, "training": training}, "test")


@pytest.fixture
def records(make_records):
    return make_records()


@pytest.mark.parametrize("expansion", ["prefix", "causal"])
def test_the_loss_of_fit_is_that_of_training(records, expansion):
    config = experiment(expansion)
    model = build_model(config, records.manifest, records.vocabulary)
    batches = training_batches(records, config.training, epoch=0)
    for batch, (inputs, target) in zip(batches, fit_pairs(batches)):
        loss = token_loss()(target, model(inputs))
        ours = tf.reduce_sum(token_losses(model, batch, 0.0, None))
        np.testing.assert_allclose(loss, ours / float(count_targets(batch)), rtol=1e-5)


@pytest.mark.parametrize("expansion", ["prefix", "causal"])
def test_fit_learns(records, expansion):
    config = experiment(expansion)
    model = build_model(config, records.manifest, records.vocabulary)
    model.compile(keras.optimizers.Adam(0.02), token_loss(), jit_compile=False)
    pairs = fit_pairs(training_batches(records, config.training, epoch=0))
    losses = model.fit(pairs, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < 0.8 * losses[0]


def test_keras_knows_the_number_of_batches(records, recwarn):
    config = experiment("prefix")
    model = build_model(config, records.manifest, records.vocabulary)
    model.compile("adam", token_loss(), jit_compile=False)
    pairs = fit_pairs(training_batches(records, config.training, epoch=0))
    assert len(pairs) == 6  # 21 photos, 4 at a time
    model.fit(pairs, epochs=2, verbose=0)
    assert not [w for w in recwarn if "ran out of data" in str(w.message)]


def test_dropout_is_drawn_in_training_alone(records):
    config = experiment("causal")
    model = build_model(config, records.manifest, records.vocabulary)
    inputs, _ = next(iter(fit_pairs(training_batches(records, config.training, 0))))
    np.testing.assert_array_equal(model(inputs), model(inputs))
    assert not np.array_equal(model(inputs, training=True), model(inputs))


@pytest.mark.slow
def test_reading_a_few_batches_prints_no_type_errors(records):
    code = (
        "import sys; from records import RecordSet; from tfcap import Config\n"
        "from tfcap.data import training_batches\n"
        "records = RecordSet.open(sys.argv[1])\n"
        "list(training_batches(records, Config().training, epoch=0).take(1))"
    )
    command = [sys.executable, "-c", code, records.directory]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert "Type inference failed" not in process.stderr
