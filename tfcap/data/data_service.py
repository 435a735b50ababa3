"""Parsing and expansion by the workers of a tf.data service, in the order of without.

Every service worker reads and shuffles all records, which takes little, and parses and
expands every n-th batch. A round of n batches, one of each worker, is put in order here
once all of it has come: batches, resume and weights are those of a run without the
service. What a faster worker has sent meanwhile waits in memory.
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
    """`batches.map(expand)`, done by the service.

    Args:
        batches: of serialised records, string [photos], each with its epoch, int32.
        count: how many there are.
        expand: from one of them to what is trained on.
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
    """Sorts numbered batches, each worker's coming in order; fails if one is missing.

    Coordinated reads, made for this, skip a worker that takes over 0.1 s.
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
    """How many workers the dispatcher was told of, if all of them are there.

    Raises:
        UserError: they are not.
    """
    check_answers(address)
    # Of worker i of n, the numbers i and i + n.
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
    """TensorFlow would try for an hour."""
    host, _, port = address.removeprefix(SCHEME).rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise UserError(
            f"training.data_service: nothing answers at {address}: {error}"
        ) from None
