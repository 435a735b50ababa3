"""Records to batches."""

import hashlib
import itertools
import os

import numpy as np
import pytest
import tensorflow as tf

from records.format.schema import FeatureSpec
from records.text.vocabulary import PAD_ID, START_ID
from tfcap.config.training import TrainingConfig
from tfcap.data.pipeline import photo_batches, scoring_batches, training_batches

FORBIDDEN = ("PyFunc", "EagerPyFunc", "GeneratorDataset")


def config(**changes) -> TrainingConfig:
    return TrainingConfig(**{"global_batch": 4, "seed": 3, **changes})


def parts(replicas, hosts=1, host=0):
    return tf.distribute.InputContext(hosts, host, replicas)


def photos_of(dataset):
    """Per batch, its captioned photos as a sorted list of feature vectors."""
    return [
        sorted(map(tuple, batch["features"].numpy()[captioned(batch)]))
        for batch in dataset
    ]


def captioned(batch):
    targets = batch["target"].numpy().reshape(len(batch["photo"]), -1)
    return np.unique(batch["photo"].numpy()[targets.any(1)])


def merged(batches, replicas):
    """Puts the parts of each global batch together again."""
    return [
        sorted(itertools.chain(*batches[i : i + replicas]))
        for i in range(0, len(batches), replicas)
    ]


def fingerprint(dataset) -> str:
    digest = hashlib.sha256()
    for batch in dataset:
        for name in sorted(batch):
            digest.update(batch[name].numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("expansion", ["prefix", "causal"])
def test_an_epoch_has_every_photo_and_every_target_once(make_records, expansion):
    records = make_records()
    batches = list(training_batches(records, config(expansion=expansion), 0))
    assert [len(batch["features"]) for batch in batches] == [4, 4, 4, 4, 4, 1]
    photos = list(itertools.chain(*photos_of(batches)))
    assert len(set(photos)) == len(photos) == 21
    targets = np.concatenate([batch["target"].numpy().ravel() for batch in batches])
    assert np.count_nonzero(targets) == 21 * (6 + 3)


def test_rows_refer_to_the_photo_they_belong_to(make_records):
    for batch in training_batches(make_records(), config(expansion="prefix"), 0):
        dog = batch["features"].numpy()[batch["photo"].numpy(), 0] < 0
        after_a = (batch["prefix"].numpy()[:, 1:] > 0).sum(1) == 1
        long = batch["prefix"].numpy()[:, 1] == 4  # "a" is token 4
        says_dog = batch["target"].numpy() == 6
        np.testing.assert_array_equal(says_dog[after_a & long], dog[after_a & long])


def test_the_order_is_a_function_of_seed_and_epoch(make_records):
    records = make_records()
    first = fingerprint(training_batches(records, config(), 0))
    assert first == fingerprint(training_batches(records, config(), 0))
    assert first != fingerprint(training_batches(records, config(), 1))
    assert first != fingerprint(training_batches(records, config(seed=4), 0))


def test_windows_of_one_shard_are_in_another_order_than_stored(make_records):
    records = make_records({"train": 64, "dev": 2})
    settings = config(shuffle_photos=1, global_batch=64)
    (batch,) = training_batches(records, settings, 0)
    stored = np.concatenate(
        [b["features"] for b in photo_batches(records, "train", 100)]
    )
    assert (batch["features"].numpy() != stored).any()
    assert sorted(map(tuple, batch["features"].numpy())) == sorted(map(tuple, stored))


def test_batches_mix_lengths_and_each_caption_comes_once_an_epoch(make_records):
    # Of each photo's two captions one has 6 targets, the other 3.
    records = make_records({"train": 64, "dev": 2})
    orders = set()
    for epoch in range(3):
        batches = list(training_batches(records, config(expansion="causal"), epoch))
        for batch in batches:
            lengths = tf.math.count_nonzero(batch["target"], 1).numpy()
            assert sorted(lengths) == [3] * 4 + [6] * 4
            assert np.bincount(batch["photo"]).tolist() == [2] * 4
        photos = list(
            itertools.chain(*(map(tuple, b["features"].numpy()) for b in batches))
        )
        assert len(set(photos)) == 64
        orders.add(tuple(photos))
    assert len(orders) == 3


@pytest.mark.parametrize("skip", [1, 3, 5])
def test_skipping_gives_exactly_the_batches_that_follow(make_records, skip):
    records = make_records()
    rest = list(training_batches(records, config(), 2))[skip:]
    resumed = list(training_batches(records, config(), 2, skip_steps=skip))
    assert fingerprint(rest) == fingerprint(resumed)


@pytest.mark.parametrize("skip", [0, 4, 6])
def test_epochs_follow_one_another_in_one_data_set(make_records, skip):
    records = make_records()
    each = [
        training_batches(records, config(), 1, skip_steps=skip),
        training_batches(records, config(), 2),
        training_batches(records, config(), 3),
    ]
    together = training_batches(records, config(), 1, skip_steps=skip, epochs=3)
    assert fingerprint(together) == fingerprint(itertools.chain(*each))


def test_hosts_cut_every_epoch_alike(make_records):
    records = make_records()
    for host in range(2):
        context = parts(4, 2, host)
        each = [
            photos_of(training_batches(records, config(), epoch, context=context))
            for epoch in range(2)
        ]
        together = training_batches(records, config(), 0, context=context, epochs=2)
        assert photos_of(together) == each[0] + each[1]


def test_resuming_reads_no_window_that_is_over(make_records):
    records = make_records({"train": 64, "dev": 2})
    settings = config(shuffle_photos=8)
    (last,) = training_batches(records, settings, 0, skip_steps=15)
    needed = []
    for path in records.shard_paths("train"):
        os.rename(path, path + ".away")
        try:
            (batch,) = training_batches(records, settings, 0, skip_steps=15)
            np.testing.assert_array_equal(batch["features"], last["features"])
        except tf.errors.NotFoundError:
            needed.append(path)
        os.rename(path + ".away", path)
    assert 1 <= len(needed) <= 2 < len(records.shard_paths("train"))


@pytest.mark.parametrize("replicas", [2, 4])
def test_replicas_share_the_same_global_batches(make_records, replicas):
    records = make_records()
    whole = photos_of(training_batches(records, config(), 1))
    cut = photos_of(training_batches(records, config(), 1, context=parts(replicas)))
    assert len(cut) == len(whole) * replicas
    assert merged(cut, replicas) == whole


@pytest.mark.parametrize("expansion", ["prefix", "causal"])
def test_a_replica_without_a_photo_has_one_without_a_caption(make_records, expansion):
    # 21 photos, 4 a step: of the last step three replicas have none.
    settings, context = config(expansion=expansion), parts(4)
    *_, batch = training_batches(make_records(), settings, 1, context=context)
    np.testing.assert_array_equal(batch["features"], [[0, 0, 0, 0]])
    np.testing.assert_array_equal(batch["photo"], [0])
    np.testing.assert_array_equal(batch["prefix"], [[START_ID]])
    assert batch["target"].numpy().ravel().tolist() == [PAD_ID]


def test_hosts_share_the_reading(make_records):
    records = make_records()
    every = photos_of(training_batches(records, config(), 1, context=parts(4)))
    hosts = [
        photos_of(training_batches(records, config(), 1, 1, parts(4, 2, host)))
        for host in range(2)
    ]
    # Replicas 0 and 1 are the first host's; the first global batch was skipped.
    assert hosts[0] == [batch for i, batch in enumerate(every) if i >= 4 and i % 4 < 2]
    assert hosts[1] == [batch for i, batch in enumerate(every) if i >= 4 and i % 4 > 1]


def test_scoring_batches_hold_every_photo_once(make_records):
    batches = list(scoring_batches(make_records(), "dev", config()))
    assert [len(batch["features"]) for batch in batches] == [4, 3]


def test_float16_grids_keep_shape_and_dtype(make_records):
    spec = FeatureSpec(shape=(2, 3, 4), dtype="float16")
    records = make_records({"train": 5, "dev": 2}, spec)
    batch = next(iter(training_batches(records, config(), 0)))
    assert batch["features"].shape == [4, 2, 3, 4]
    assert batch["features"].dtype == tf.float16


def test_the_graph_holds_no_python_function_and_no_generator(make_records):
    dataset = training_batches(make_records(), config(), 0)
    graph = dataset._as_serialized_graph().numpy()
    assert b"ParseExample" in graph
    for name in FORBIDDEN:
        assert name.encode() not in graph
