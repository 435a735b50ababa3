"""Weights, moments and averages as vectors: the update is Keras' and Polyak's."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from training_steps import Steps, settings, strategy_of

from tfcap.training.train_step import apply_update
from tfcap.training.vectors import Vector, Vectors

SLOW = pytest.mark.slow


def test_a_vector_holds_its_variables_in_order():
    variables = [tf.Variable([[1.0, 2.0], [3.0, 4.0]]), tf.Variable(5.0)]
    vector = Vector(variables)
    vector.gather()
    assert vector.values.numpy().tolist() == [1, 2, 3, 4, 5]
    vector.values.assign_add(tf.ones([5]))
    assert variables[1].numpy() == 5
    vector.spread()
    assert variables[0].numpy().tolist() == [[2, 3], [4, 5]]
    assert variables[1].numpy() == 6


def test_keras_names_the_moments_of_adam_as_this_version():
    adam = keras.optimizers.Adam()
    adam.build([keras.Variable(1.0)])
    assert hasattr(adam, "_momentums"), f"keras {keras.__version__}"
    assert hasattr(adam, "_velocities"), f"keras {keras.__version__}"


@pytest.mark.parametrize("replicas", [1, pytest.param(2, marks=SLOW)])
def test_the_update_is_that_of_keras_adam(make_records, replicas):
    config = settings(average_decay=0.5)
    steps = Steps(config, make_records(), replicas)
    adam = keras.optimizers.Adam(config.training.schedule.rate)
    weights = [keras.Variable(w) for w in steps.model.trainable_variables]
    averages = [w.numpy() for w in weights]
    adam.build(weights)
    random = np.random.default_rng(0)
    for update in range(1, 4):
        gradients = [
            random.normal(0, 10.0**-update, w.shape).astype(np.float32) for w in weights
        ]
        apply(steps, gradients)
        adam.apply([tf.constant(gradient) for gradient in gradients], weights)
        rate = 1 - min(0.5, (1 + update) / (10 + update))
        averages = [a + rate * (w - a) for a, w in zip(averages, weights, strict=True)]
    steps.vectors.spread()
    assert int(tf.identity(steps.optimizer.iterations.value)) == 3
    assert_close(steps.model.trainable_variables, weights)
    assert_close(steps.optimizer.momentums, adam._momentums)
    assert_close(steps.optimizer.velocities, adam._velocities)
    assert_close(steps.average.averages, averages)


def apply(steps: Steps, gradients: list[np.ndarray]) -> None:
    """Updates by gradients, one for each variable, on every replica."""
    flat = np.concatenate([gradient.ravel() for gradient in gradients])

    @tf.function
    def update():
        since = steps.optimizer.iterations.value
        steps.vectors.update([tf.constant(flat)], tf.identity(since))

    steps.strategy.run(update)


def assert_close(values, expected) -> None:
    """Compares to the rounding of 1 - beta in float32."""
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-6)


def test_an_update_passes_over_the_values_five_times(make_records):
    steps = Steps(settings(average_decay=0.9), make_records())
    (weights,) = steps.vectors.weights

    @tf.function(input_signature=[tf.TensorSpec(weights.shape)])
    def update(gradient):
        since = tf.identity(steps.optimizer.iterations.value)
        return apply_update(steps.vectors, [gradient], since, 5.0)

    graph = update.get_concrete_function().graph
    passes = [
        op.type
        for op in graph.get_operations()
        if weights.shape in [value.shape for value in (*op.inputs, *op.outputs)]
    ]
    clipping, averaging = ["L2Loss", "Mul"], ["Sub", "ResourceApplyGradientDescent"]
    reading = {"Placeholder", "Identity", "ReadVariableOp"}
    expected = sorted([*clipping, "ResourceApplyAdam", *averaging])
    assert sorted(op for op in passes if op not in reading) == expected


def test_the_model_computes_with_the_vectors_only_inside(make_records):
    steps = Steps(settings(), make_records())
    features = tf.ones([1, 4])
    before = steps.model.encode(features).memory
    steps.vectors.weights[0].assign(tf.zeros_like(steps.vectors.weights[0]))
    with steps.vectors.in_model():
        assert not np.any(steps.model.encode(features).memory)
    np.testing.assert_array_equal(steps.model.encode(features).memory, before)


def test_a_second_rate_is_that_of_the_last_variables(make_records):
    steps = Steps(settings(), make_records())
    count = len(steps.model.trainable_variables)
    steps.optimizer.first, steps.optimizer.factor = count - 1, 0.5
    before = steps.model.get_weights()
    steps.vectors = Vectors(steps.model, steps.optimizer)
    ones = [tf.ones_like(vector) for vector in steps.vectors.weights]
    steps.vectors.update(ones, tf.constant(0))
    steps.vectors.spread()
    changes = [b - w for b, w in zip(before, steps.model.get_weights(), strict=True)]
    for change in changes[:-1]:
        np.testing.assert_allclose(change, 0.01, rtol=1e-4)
    np.testing.assert_allclose(changes[-1], 0.005, rtol=1e-4)


def test_a_step_with_a_strategy_changes_every_copy(make_records):
    strategy = strategy_of(2)
    with strategy.scope():
        vector = Vector([tf.Variable([1.0, 2.0])])
    vector.gather()
    for copy in strategy.experimental_local_results(vector.values):
        np.testing.assert_array_equal(copy, [1, 2])
