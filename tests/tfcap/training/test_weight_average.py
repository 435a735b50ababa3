"""A moving average of weights."""

import numpy as np
import pytest
import tensorflow as tf

from tfcap.training.weight_average import WeightAverage


@pytest.fixture
def weights():
    return [tf.Variable([1.0, 2.0]), tf.Variable(5.0)]


def test_at_first_the_decay_is_less(weights):
    average = WeightAverage(weights, 0.5)
    rate = average.rate(tf.constant(0), tf.constant(-1))  # (1 + 0) / (10 + 0) stays
    assert float(rate) == pytest.approx(0.9)


def test_later_it_is_the_one_that_was_asked_for(weights):
    average = WeightAverage(weights, 0.5)
    assert float(average.rate(tf.constant(1000), tf.constant(999))) == 0.5


def test_an_update_that_was_left_out_moves_nothing(weights):
    average = WeightAverage(weights, 0.5)
    assert float(average.rate(tf.constant(1000), tf.constant(1000))) == 0


def test_the_model_has_them_for_a_while(weights):
    average = WeightAverage(weights, 0.5)
    weights[0].assign([3.0, 4.0])
    with pytest.raises(KeyError), average.in_place_of(weights):
        np.testing.assert_array_equal(weights[0], [1.0, 2.0])
        raise KeyError
    np.testing.assert_array_equal(weights[0], [3.0, 4.0])
    np.testing.assert_array_equal(average.averages[0], [1.0, 2.0])


def test_replicas_set_the_same_average(weights):
    devices = [device.name for device in tf.config.list_logical_devices("CPU")[:2]]
    sums = tf.distribute.ReductionToOneDevice()
    strategy = tf.distribute.MirroredStrategy(devices, sums)
    with strategy.scope():
        weights = [tf.Variable([1.0, 2.0], aggregation=tf.VariableAggregation.MEAN)]
        average = WeightAverage(weights, 0.5)
    average.averages[0].assign([2.0, 3.0])
    with average.in_place_of(weights):
        for copy in strategy.experimental_local_results(weights[0]):
            np.testing.assert_allclose(copy, [2.0, 3.0])
