"""Offloads parsing and expansion to a tf.data service in the order of a local run.

Every service worker reads and shuffles all records, which is cheap, and parses and
expands every n-th batch. A round has n batches, one of each worker. It is put in order
here once all of it has arrived. Batches, resuming and weights are therefore those of a
run without the service. Batches that a faster worker sends wait in memory.
"""

import socket
from collections.abc import Callable

import tensorflow as tf

from records.errors import UserError

SCHEME = "grpc://"
BY_HINT = tf.data.experimental.service.ShardingPolicy.HINT
HINT = tf.data.experimental.SHARD_HINT


def expanded_by_service(
    batches: tf.data.Dataset, count: int, expand: Callable, address: str
) -> tf.data.Dataset:
    """Returns `batches.map(expand)`, computed by the service.

    Args:
        batches: serialised records, string [photos], each with its epoch, int32.
        count: number of batches.
        expand: the function from one of them to a training batch.
        address: of the dispatcher, as `grpc://host:port`.

    Raises:
        UserError: nothing answers there, or not all of its workers have registered.
    """
    workers = count_workers(address)
    nothing = tf.data.Dataset.from_tensors((tf.zeros([0], tf.string), 0))
    whole_rounds = batches.concatenate(nothing.repeat(-count % workers)).enumerate()
    expanded = whole_rounds.shard(HINT, HINT).map(
        lambda number, batch: (number, expand(*batch)), tf.data.AUTOTUNE, True
    )
    service = tf.data.experimental.service.distribute(BY_HINT, address)
    return in_order(expanded.apply(service), workers).take(count)


def in_order(arriving: tf.data.Dataset, workers: int) -> tf.data.Dataset:
    """Sorts numbered batches; fails if one is missing.

    The batches of each worker arrive in order. TensorFlow's coordinated reads serve the
    same purpose, but skip a worker that takes over 0.1 s.

    Args:
        arriving: numbers and batches; worker i sends the numbers i, i + n, i + 2n.
        workers: number of workers, n.
    """

    def sort(_, round_: tf.data.Dataset) -> tf.data.Dataset:
        places = tf.data.Dataset.range(workers)
        return places.flat_map(
            lambda place: round_.filter(lambda number, _: number % workers == place)
        )

    def checked(expected, numbered):
        number, batch = numbered
        message = "a tf.data service worker began anew"
        with tf.control_dependencies(
            [tf.debugging.assert_equal(number, expected, message)]
        ):
            return tf.nest.map_structure(tf.identity, batch)

    rounds = arriving.group_by_window(
        lambda number, _: number // workers, sort, window_size=workers
    )
    return rounds.enumerate().map(checked)


def count_workers(address: str) -> int:
    """Returns the number of workers that the dispatcher is configured for.

    Raises:
        UserError: not all of them have registered.
    """
    check_answers(address)
    # Worker i of n sends the numbers i and i + n.
    numbers = tf.data.Dataset.range(1 << 20).shard(HINT, HINT).batch(2).take(1)
    service = tf.data.experimental.service.distribute(BY_HINT, address)
    try:
        pairs = list(numbers.apply(service).as_numpy_iterator())
    except tf.errors.NotFoundError:
        raise UserError(
            f"the tf.data service at {address} must be told of its workers: start its "
            "dispatcher with DispatcherConfig(worker_addresses=[...])"
        ) from None
    workers = int(pairs[0][1] - pairs[0][0])
    if len(pairs) != workers:
        raise UserError(
            f"the tf.data service at {address} has {len(pairs)} of the {workers} "
            "workers that its dispatcher was told of; start the others"
        )
    return workers


def check_answers(address: str) -> None:
    """Raises UserError if nothing answers; TensorFlow would try for an hour."""
    host, _, port = address.removeprefix(SCHEME).rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(
            f"training.data_service: nothing answers at {address}: {error}"
        ) from None
