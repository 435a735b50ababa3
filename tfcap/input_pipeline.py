"""Records to batches: windows of shards -> shuffle -> batch -> parse -> expand.

Every step is a graph operation on a whole batch; there is no generator, no
py_function and no data set per caption. Two expansions of the same captions:

    prefix   a caption of n tokens becomes n - 1 rows (prefix, next token)
    causal   one row a caption, and the same caption shifted by one as its target

Features are referenced, not copied: row i belongs to photo `photo[i]` of the batch.
Where the encoder is trained as well, `pixels` stand in the place of `features`.
"""

from collections.abc import Callable

import tensorflow as tf

from records import schema
from records.reader import RecordSet
from records.vocabulary import PAD_ID
from tfcap.config import TrainingConfig
from tfcap.data_service import expanded_by_service
from tfcap.photo_order import PhotoOrder
from tfcap.photo_pixels import PixelReader, pixel_reader
from tfcap.static_shapes import RowCounts, pad_batch

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
    short, some of its parts even empty; none is dropped.

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
    skipped = [skip_steps * config.global_batch, *[0] * (epochs - 1)]
    orders = [
        PhotoOrder.of_epoch(records, "train", config, epoch + i, skip)
        for i, skip in enumerate(skipped)
    ]

    def batches_of_epoch(order: PhotoOrder) -> tf.data.Dataset:
        photos = order.read(config.shuffle_photos)
        own = replica_batches(photos, order.photos, config.global_batch, context)
        return tf.data.Dataset.zip(
            own, tf.data.Dataset.from_tensors(order.epoch).repeat()
        )

    in_order = tf.data.Dataset.from_tensor_slices(PhotoOrder.stack(orders))
    # Reading goes on while the batch before is parsed.
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
    records: RecordSet, split: str, size: int, column: str = "features"
) -> tf.data.Dataset:
    """A split in stored order for captioning: `photo_id` [photos] and `features`.

    Args:
        column: `encoded` for the photos' bytes instead of features.
    """
    with_photos = column == "encoded"

    def parse(serialized: tf.Tensor) -> Batch:
        batch = schema.parse_batch(serialized, records.manifest.features, with_photos)
        return {name: batch[name] for name in ("photo_id", column)}

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
    """Cuts records into equal batches, one per replica, and keeps this host's.

    Of the last global batch the first replicas get what there is, one of them perhaps
    less than the others, the last ones nothing.
    """
    replicas = context.num_replicas_in_sync
    share = global_batch // replicas
    missing = -(-count // global_batch) * replicas - -(-count // share)
    nothing = tf.data.Dataset.from_tensors(tf.zeros([0], tf.string)).repeat(missing)
    batches = photos.batch(share).concatenate(nothing)
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
    expand = {"prefix": expand_prefixes, "causal": expand_causal}[expansion]
    spec = records.manifest.features

    def parse_and_expand(serialized: tf.Tensor, epoch: tf.Tensor | int = 0) -> Batch:
        parsed = schema.parse_batch(serialized, spec, pixels is not None)
        seen = {"features": parsed["features"]}
        if pixels:
            seen = {"pixels": pixels(parsed["photo_id"], parsed["encoded"], epoch)}
        batch = {**seen, **expand(parsed["ids"])}
        return pad_batch(batch, counts.shape(expansion, share)) if counts else batch

    return parse_and_expand


def expand_prefixes(ids: tf.RaggedTensor) -> Batch:
    """Every caption of n tokens becomes n - 1 rows (prefix, next token).

    Photo 0 with the caption `<start> a dog <end>`, ids 1 5 7 2, becomes

        photo   prefix   target
        0       1 0 0    5
        0       1 5 0    7
        0       1 5 7    2

    Args:
        ids: ragged int64 [photos, captions, tokens].

    Returns:
        `photo` int32 [rows], `prefix` int32 [rows, length] padded on the right with
        0 and cut to the longest, `target` int32 [rows].
    """
    photo, tokens = pad(ids)
    target = tokens[:, 1:]
    row = tf.where(target != PAD_ID)
    caption, last = tf.unstack(row, axis=1)  # and position, of each target
    width = tf.shape(target)[1]
    # Row i of the triangle keeps tokens 0 to i; a product is cheaper than a `where`.
    triangle = tf.linalg.band_part(tf.ones([width, width], tf.int32), -1, 0)
    return {
        "photo": tf.gather(photo, caption),
        "prefix": tf.gather(tokens[:, :-1], caption) * tf.gather(triangle, last),
        "target": tf.gather_nd(target, row),
    }


def expand_causal(ids: tf.RaggedTensor) -> Batch:
    """Every caption becomes one row and the same shifted by one.

    Photo 0 with the caption `<start> a dog <end>`, ids 1 5 7 2, becomes

        photo   prefix   target
        0       1 5 7    5 7 2

    Args:
        ids: ragged int64 [photos, captions, tokens].

    Returns:
        `photo` int32 [captions], `prefix` and `target` int32 [captions, length],
        padded on the right with 0, which is no target.
    """
    photo, tokens = pad(ids)
    target = tokens[:, 1:]
    # <end> is a target but never the end of a prefix.
    prefix = tf.where(target != PAD_ID, tokens[:, :-1], PAD_ID)
    return {"photo": photo, "prefix": prefix, "target": target}


def pad(ids: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Each caption's photo, int32 [captions], and tokens, int32 [captions, longest].

    Tokens are padded on the right, 2 wide at least: a share may have no caption. Of
    few operations: with captions of a dozen tokens each costs more to start than to do.
    """
    captions = ids.values
    photo = tf.cast(ids.value_rowids(), tf.int32)
    longest = tf.reduce_max(captions.row_lengths())  # of no caption: less than 2
    shape = tf.stack([-1, tf.maximum(longest, 2)])
    tokens = captions.with_values(tf.cast(captions.values, tf.int32))
    return photo, tokens.to_tensor(PAD_ID, shape=shape)
