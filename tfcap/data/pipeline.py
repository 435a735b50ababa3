"""Records to batches: windows of shards -> shuffle -> batch -> parse -> expand.

Every step is a graph operation on a whole batch; there is no generator, no
py_function and no data set per caption. The order of the photos is in `shuffling`,
the two forms of a caption are in `expansion`. Where the encoder is trained as well,
`pixels` stand in the place of `features`.
"""

from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from records.batching import batched
from records.format import schema
from records.format.numbered_records import read_numbered
from records.format.record_set import RecordSet
from tfcap.config.training import TrainingConfig
from tfcap.data.augmentation import PixelReader, pixel_reader
from tfcap.data.data_service import expanded_by_service
from tfcap.data.expansion import EXPANSIONS, pad
from tfcap.data.padding import RowCounts, never_empty, pad_batch
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
    """Epochs of training batches for one host, a batch per replica.

    The order of each is a function of (seed, epoch) alone. They follow one another in
    one data set: TensorFlow makes its operations once, and not anew for each epoch. A
    global batch is cut by photo: `replicas` successive elements, spread over the hosts,
    make up the same photos for any number of replicas. The last one of an epoch may be
    short, and none is dropped; a part without a photo has one without a caption, of
    zeros.

    Args:
        records: the record set.
        config: global batch, seed, expansion, size of the shuffle buffer.
        epoch: the first, from 0.
        skip_steps: global batches of it that were trained on before.
        context: which part is this host's; None for all of it.
        counts: of the split; given, all batches are padded to one size.
        epochs: how many.
    """
    context = context or tf.distribute.InputContext()
    share = config.global_batch // context.num_replicas_in_sync
    pixels = pixel_reader(records.manifest.encoder, config, augmented=True)
    expand = expander(records, config.expansion, counts, share, pixels)
    shards = tf.constant(records.shard_paths("train"))
    skipped = [skip_steps * config.global_batch, *[0] * (epochs - 1)]
    orders = [
        PhotoOrder.of_epoch(records, "train", config, epoch + i, skip)
        for i, skip in enumerate(skipped)
    ]

    def batches_of_epoch(order: PhotoOrder) -> tf.data.Dataset:
        photos = order.read(shards, config.shuffle_photos)
        own = replica_batches(photos, order.photos, config.global_batch, context)
        return tf.data.Dataset.zip(
            own, tf.data.Dataset.from_tensors(order.epoch).repeat()
        )

    in_order = tf.data.Dataset.from_tensor_slices(PhotoOrder.stack(orders))
    # The next ones are got ready while a batch is parsed.
    batches = in_order.flat_map(batches_of_epoch).prefetch(2)
    if config.data_service:
        own = context.num_replicas_in_sync // context.num_input_pipelines
        steps = [-(-int(order.photos) // config.global_batch) for order in orders]
        left, service = sum(steps) * own, config.data_service
        return ready(expanded_by_service(batches, left, expand, service))
    return ready(batches.map(expand, tf.data.AUTOTUNE, deterministic=True))


def scoring_batches(
    records: RecordSet,
    split: str,
    config: TrainingConfig,
    context: tf.distribute.InputContext | None = None,
    counts: RowCounts | None = None,
) -> tf.data.Dataset:
    """A split in stored order, once, for measuring the loss: causal, every photo."""
    context = context or tf.distribute.InputContext()
    share = config.global_batch // context.num_replicas_in_sync
    pixels = pixel_reader(records.manifest.encoder, config, augmented=False)
    expand = expander(records, "causal", counts, share, pixels)
    photos = tf.data.TFRecordDataset(records.shard_paths(split))
    count = records.manifest.photos(split)
    batches = replica_batches(photos, count, config.global_batch, context)
    return ready(batches.map(expand, tf.data.AUTOTUNE, deterministic=True))


def photo_batches(
    records: RecordSet,
    split: str,
    size: int,
    column: str = "features",
    numbers: Sequence[int] | None = None,
) -> Iterable[Batch]:
    """A split in stored order for captioning: `photo_id` [photos] and `features`.

    Args:
        column: `encoded` for the photos' bytes instead of features.
        numbers: of the photos that are read, ascending; None for all.
    """
    with_photos = column == "encoded"

    def parse(serialized: tf.Tensor) -> Batch:
        batch = schema.parse_batch(serialized, records.manifest.features, with_photos)
        return {name: batch[name] for name in ("photo_id", column)}

    if numbers is not None:
        return map(parse, batched(read_numbered(records, split, numbers), size))
    photos = tf.data.TFRecordDataset(records.shard_paths(split))
    return photos.batch(size).map(parse, tf.data.AUTOTUNE).prefetch(2)


def ready(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Keeps some batches ready.

    The data set stays as it is: to look for a better one takes TensorFlow 10 ms at the
    start, and it finds none. Nor are buffers and threads tuned while it runs: sizes are
    given, threads are as many as cores, and at the end the tuner keeps a data set
    waiting for 0.2 s now and then.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return batches.prefetch(4).with_options(options)


def replica_batches(
    photos: tf.data.Dataset,
    count: int | tf.Tensor,
    global_batch: int,
    context: tf.distribute.InputContext,
) -> tf.data.Dataset:
    """Cuts photos into equal batches, one per replica, and keeps this host's.

    Of the last global batch the first replicas get what there is, one of them perhaps
    less than the others, the last ones nothing.
    """
    replicas = context.num_replicas_in_sync
    share = global_batch // replicas
    missing = -(-count // global_batch) * replicas - -(-count // share)
    empty = tf.data.Dataset.from_tensors(tf.zeros([0], tf.string)).repeat(missing)
    batches = photos.batch(share).concatenate(empty)
    if context.num_input_pipelines == 1:
        return batches
    mine = replicas // context.num_input_pipelines
    host = context.input_pipeline_id
    return (
        batches.enumerate()
        .filter(lambda i, _: i % replicas // mine == host)
        .map(lambda _, batch: batch)
    )


def expander(
    records: RecordSet,
    expansion: str,
    counts: RowCounts | None = None,
    share: int = 0,
    pixels: PixelReader | None = None,
) -> Callable[..., Batch]:
    """Returns the function from serialised records, string [photos], to a batch.

    After them it takes the epoch, int32; outside training there is none.

    With `counts` batches are padded to the size of the largest of `share` photos; with
    `pixels` they have these and no features.
    """
    spec = records.manifest.features

    def parse_and_expand(photos: tf.Tensor, epoch: tf.Tensor | int = 0) -> Batch:
        parsed = schema.parse_batch(photos, spec, with_photos=pixels is not None)
        seen = {"features": parsed["features"]}
        if pixels:
            seen = {"pixels": pixels(parsed["photo_id"], parsed["encoded"], epoch)}
        rows = EXPANSIONS[expansion](*pad(parsed["ids"]))
        batch = {**seen, **rows}
        if counts:
            return pad_batch(batch, counts.shape(expansion, share))
        return never_empty(batch)

    return parse_and_expand
