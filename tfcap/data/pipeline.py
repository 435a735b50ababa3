"""Turns records into batches.

    shards -> shuffle -> batch -> parse -> expand -> prefetch

Every step is a graph operation on a whole batch; there is no generator, no
py_function and no data set per caption. `shuffling` gives the order of the photos,
`expansion` the two forms of a caption. If the encoder is trained as well, batches have
`pixels` instead of `features`.
"""

from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from records.batching import batched
from records.format import schema
from records.format.numbered_records import read_numbered
from records.format.record_set import RecordSet
from tfcap.config.training import TrainingConfig
from tfcap.data.augmentation import pixel_reader
from tfcap.data.expansion import EXPANSIONS, pad
from tfcap.data.padding import RowCounts, never_empty, pad_batch
from tfcap.data.shard_files import explained, read_in_order
from tfcap.data.shuffling import PhotoOrder

Batch = dict[str, tf.Tensor]


def training_batches(
    records: RecordSet,
    config: TrainingConfig,
    epoch: int,
    skip_steps: int = 0,
    context: tf.distribute.InputContext | None = None,
    counts: RowCounts | None = None,
    epochs: int = 1,
) -> tf.data.Dataset:
    """Returns training batches of one or more epochs for one host, one per replica.

    The order of an epoch is a function of (seed, epoch) alone. Epochs follow one
    another in one data set, because TensorFlow is slow to build a data set. A global
    batch is cut by photo: `replicas` successive elements, spread over the hosts, make
    up the same photos for any number of replicas. The last global batch of an epoch may
    be short. An element without photos has one photo of zeros, without captions.

    >>> from records import RecordSet
    >>> from tfcap import load_config
    >>> from tfcap.data import training_batches
    >>> records, config = RecordSet.open("data/records"), load_config("mine.yaml")
    >>> for batch in training_batches(records, config.training, epoch=0).take(1):
    ...     print(batch["features"].shape, batch["prefix"].shape, batch["target"].shape)
    (4, 32) (36, 6) (36,)

    Args:
        records: the record set.
        config: global batch, seed, expansion, size of the shuffle buffer.
        epoch: the first epoch, from 0.
        skip_steps: global batches of the first epoch that were trained on before.
        context: which part is this host's; None for all of it.
        counts: rows of the split's photos, to pad batches to a few sizes; None does
            not pad.
        epochs: number of epochs.

    Returns:
        A data set of batches: `features` or `pixels` [photos, ...], and the rows of an
        expansion (`tfcap.data.expansion`).
    """
    context = context or tf.distribute.InputContext()
    orders = remaining_orders(records, config, range(epoch, epoch + epochs), skip_steps)
    shards, fetch = tf.constant(records.shard_paths("train")), records.fetcher("train")
    expand = expander(records, config, config.expansion, counts, context, True)

    def shuffle_and_batch(order: PhotoOrder) -> tf.data.Dataset:
        photos = order.read(shards, config.shuffle_photos, fetch)
        batches = replica_batches(photos, order.photos, config.global_batch, context)
        epoch_of_batch = tf.data.Dataset.from_tensors(order.epoch).repeat()
        return tf.data.Dataset.zip(batches, epoch_of_batch)

    batches = tf.data.Dataset.from_tensor_slices(PhotoOrder.stack(orders))
    batches = batches.flat_map(shuffle_and_batch)
    batches = batches.prefetch(2)  # reads on while a batch is parsed
    batches = batches.map(expand, tf.data.AUTOTUNE, deterministic=True)
    photos = [int(order.photos) for order in orders]
    return ready(batches, count_batches(photos, config.global_batch, context))


def remaining_orders(
    records: RecordSet, config: TrainingConfig, epochs: range, skip_steps: int
) -> list[PhotoOrder]:
    """Returns the order of each epoch; the first skips steps trained on before."""
    skipped = [skip_steps * config.global_batch, *[0] * (len(epochs) - 1)]
    return [
        PhotoOrder.of_epoch(records, "train", config, epoch, skip)
        for epoch, skip in zip(epochs, skipped)
    ]


def scoring_batches(
    records: RecordSet,
    split: str,
    config: TrainingConfig,
    context: tf.distribute.InputContext | None = None,
    counts: RowCounts | None = None,
) -> tf.data.Dataset:
    """Returns all photos of a split in stored order, for measuring the loss.

    >>> from records import RecordSet
    >>> from tfcap import load_config
    >>> from tfcap.data import scoring_batches
    >>> records, config = RecordSet.open("data/records"), load_config("mine.yaml")
    >>> for batch in scoring_batches(records, "dev", config.training):
    ...     print(batch["features"].shape, batch["target"].shape)
    (4, 32) (8, 6)
    (3, 32) (6, 6)

    Args:
        records: the record set.
        split: the split.
        config: global batch.
        context: which part is this host's; None for all of it.
        counts: rows of the split's photos, to pad batches to a few sizes; None does
            not pad.

    Returns:
        A data set of batches as `training_batches`, of the causal expansion.
    """
    context = context or tf.distribute.InputContext()
    expand = expander(records, config, "causal", counts, context, False)
    photos = read_in_order(records, split)
    count = records.manifest.photos(split)
    batches = replica_batches(photos, count, config.global_batch, context)
    batches = batches.map(expand, tf.data.AUTOTUNE, deterministic=True)
    return ready(batches, count_batches([count], config.global_batch, context))


def photo_batches(
    records: RecordSet,
    split: str,
    size: int,
    column: str = "features",
    numbers: Sequence[int] | None = None,
) -> Iterable[Batch]:
    """Returns a split in stored order, for captioning.

    Args:
        records: the record set.
        split: the split.
        size: photos of a batch.
        column: `features`, or `encoded` for the photos' bytes.
        numbers: numbers of the photos to read, ascending; None for all.

    Returns:
        Batches of `photo_id` [photos] and the column.
    """
    with_photos = column == "encoded"

    def parse(serialized: tf.Tensor) -> Batch:
        batch = schema.parse_batch(serialized, records.manifest.features, with_photos)
        return {name: batch[name] for name in ("photo_id", column)}

    if numbers is not None:
        return map(parse, batched(read_numbered(records, split, numbers), size))
    photos = read_in_order(records, split)
    batches = photos.batch(size).map(parse, tf.data.AUTOTUNE).prefetch(2)
    return explained(batches, records) if records.cache else batches


def count_batches(
    photos: Iterable[int], global_batch: int, context: tf.distribute.InputContext
) -> int:
    """Returns the number of this host's batches in epochs of that many photos each."""
    steps = sum(-(-count // global_batch) for count in photos)
    return steps * context.num_replicas_in_sync // context.num_input_pipelines


def ready(batches: tf.data.Dataset, count: int) -> tf.data.Dataset:
    """Prefetches batches, without TensorFlow's optimisation of the data set.

    The data set says how many there are: Keras takes the end of one that does not for
    a mistake, and warns.

    Optimising the graph takes 10 ms at the start and changes nothing. Tuning of buffers
    and threads is off as well: sizes are fixed, there are as many threads as cores, and
    the tuner sometimes delays the end of a data set by 0.2 s.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    batches = batches.apply(tf.data.experimental.assert_cardinality(count))
    return batches.prefetch(4).with_options(options)


def replica_batches(
    photos: tf.data.Dataset,
    count: int | tf.Tensor,
    global_batch: int,
    context: tf.distribute.InputContext,
) -> tf.data.Dataset:
    """Cuts photos into equal batches, one per replica, and keeps this host's.

    The last global batch fills the first replicas; one may get a short batch, and those
    after it get empty ones.

    Args:
        photos: serialised records.
        count: number of photos.
        global_batch: photos of all replicas.
        context: which part is this host's.
    """
    replicas = context.num_replicas_in_sync
    share = global_batch // replicas
    missing = -(-count // global_batch) * replicas - -(-count // share)
    empty = tf.data.Dataset.from_tensors(tf.zeros([0], tf.string)).repeat(missing)
    batches = photos.batch(share).concatenate(empty)
    if context.num_input_pipelines == 1:
        return batches
    per_host = replicas // context.num_input_pipelines
    host = context.input_pipeline_id
    return (
        batches.enumerate()
        .filter(lambda i, _: i % replicas // per_host == host)
        .map(lambda _, batch: batch)
    )


def expander(
    records: RecordSet,
    config: TrainingConfig,
    expansion: str,
    counts: RowCounts | None,
    context: tf.distribute.InputContext,
    augmented: bool,
) -> Callable[..., Batch]:
    """Returns the function from serialised records to a batch.

    It takes the records, string [photos], and in training the epoch, int32.

    Args:
        records: the record set.
        config: global batch; whether the encoder is trained.
        expansion: `prefix` or `causal`.
        counts: rows of the split's photos; batches are padded to a few sizes, which
            any photos of a replica fit into. None does not pad.
        context: the number of replicas.
        augmented: whether photos are cropped and flipped at random.
    """
    spec = records.manifest.features
    pixels = pixel_reader(records.manifest.encoder, config, augmented)
    share = config.global_batch // context.num_replicas_in_sync

    def parse_and_expand(photos: tf.Tensor, epoch: tf.Tensor | int = 0) -> Batch:
        parsed = schema.parse_batch(photos, spec, with_photos=pixels is not None)
        photo = {"features": parsed["features"]}
        if pixels:
            photo = {"pixels": pixels(parsed["photo_id"], parsed["encoded"], epoch)}
        batch = photo | EXPANSIONS[expansion](*pad(parsed["ids"]))
        if counts:
            return pad_batch(batch, counts.shape(expansion, share))
        return never_empty(batch)

    return parse_and_expand
