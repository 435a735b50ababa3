"""Training by the reward of captions drawn."""

import numpy as np
import pytest
import tensorflow as tf
from test_trainer import (
    SLOW,
    assert_same_state,
    run,
    settings,
    stop_at,
    use_replicas,
)
from training_steps import Steps

from records.errors import UserError
from tfcap.cli import main
from tfcap.config.decoding import DecodingConfig
from tfcap.config.loading import load_config
from tfcap.data.expansion import expand_causal, pad
from tfcap.data.padding import never_empty
from tfcap.ops.random import fold_in
from tfcap.runs.workdir import Workdir
from tfcap.training.self_critical import SelfCritical
from tfcap.training.trainer import Trainer


@pytest.fixture(scope="module")
def first(write_records, tmp_path_factory):
    """A run by cross-entropy, not yet good, and its records."""
    folder = tmp_path_factory.mktemp("first")
    records = write_records(folder / "records")
    return run(settings(epochs=6), records, folder / "run"), records


def second(first, **training):
    """The configuration of a run from there."""
    training = {"baseline": "mean", "samples": 5} | training
    keys = [key for key in ("baseline", "samples", "dropout") if key in training]
    options = {key: training.pop(key) for key in keys}
    return settings(
        init=first.workdir.path,
        self_critical=options,
        schedule={"kind": "constant", "rate": 0.02},
        **training,
    )


@pytest.mark.parametrize("baseline", ["mean", "greedy"])
def test_the_reward_of_the_dev_photos_rises(first, tmp_path, baseline):
    trainer, records = first
    before = Trainer(second(trainer), records, str(tmp_path / "before")).dev_loss()
    after = run(second(trainer, epochs=8, baseline=baseline), records, tmp_path / "run")
    assert after.outcome.best_loss < before - 0.5


def test_it_starts_from_the_best_weights(first, tmp_path):
    trainer, records = first
    started = Trainer(
        second(trainer, average_decay=0.9), records, str(tmp_path / "run")
    )
    model, _ = trainer.workdir.restore_best()
    for a, b in zip(started.model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with started.state.averaged():
        for a, b in zip(started.model.get_weights(), model.get_weights()):
            np.testing.assert_array_equal(a, b)


def test_a_resumed_run_ends_as_an_uninterrupted_one(first, tmp_path, monkeypatch):
    trainer, records = first
    config = second(trainer, epochs=2)
    whole = run(config, records, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 2)
        run(config, records, tmp_path / "parts")
    assert_same_state(run(config, records, tmp_path / "parts"), whole)


@SLOW
def test_two_replicas_draw_for_their_own_photos(first, tmp_path, monkeypatch):
    trainer, records = first
    use_replicas(monkeypatch, 2)
    before = Trainer(second(trainer), records, str(tmp_path / "before")).dev_loss()
    after = run(second(trainer, epochs=8), records, tmp_path / "run")
    assert after.outcome.best_loss < before - 0.5


def test_the_gradient_is_that_of_the_expected_reward(first):
    """Against differences of the exact expectation, which a small step changes."""
    trainer, records = first
    config = second(trainer, samples=200)
    rewarded = SelfCritical.of(
        trainer.config.model_copy(update={"training": config.training}), records
    )
    batch = next(iter_batches(trainer, records))
    drawn = float(rewarded.count(batch))
    bias = trainer.model.output_layer.bias

    @tf.function
    def estimate(seed):
        with tf.GradientTape() as tape:
            losses = rewarded.losses(trainer.model, batch, seed)
            loss = tf.reduce_sum(losses) / drawn
        return loss, tape.gradient(loss, bias.value)

    photo = tf.range(len(batch["features"]))
    estimates = [estimate(fold_in(photo, i)) for i in range(4)]
    gradient = np.mean([g for _, g in estimates], 0)
    direction = gradient / np.linalg.norm(gradient)
    start, step = bias.numpy(), 0.1
    losses = []
    for sign in (-1, 1):
        bias.assign(start + sign * step * direction)
        losses.append(np.mean([estimate(fold_in(photo, 4 + i))[0] for i in range(4)]))
    bias.assign(start)
    slope = (losses[1] - losses[0]) / (2 * step)
    assert slope == pytest.approx(np.linalg.norm(gradient), rel=0.3)


# Photos whose captions differ in number and length.
IDS = tf.ragged.constant(
    [
        *([[1, 4, 5, 2], [1, 4, 2], [1, 6, 7, 8, 9, 10, 2]], [[1, 5, 6, 2]]),
        *([[1, 4, 7, 2], [1, 8, 2]], [[1, 11, 2]], [[1, 4, 5, 6, 2], [1, 5, 2]]),
    ],
    dtype=tf.int64,
)
FEATURES = np.random.default_rng(0).normal(size=[5, 4]).astype(np.float32)
BATCH = {
    "features": tf.TensorSpec([None, 4]),
    "photo": tf.TensorSpec([None], tf.int32),
    "prefix": tf.TensorSpec([None, None], tf.int32),
    "target": tf.TensorSpec([None, None], tf.int32),
}


def shares(replicas: int):
    """A global batch of 8 photos that has 5, cut as training batches are."""
    share = 8 // replicas
    for first in range(0, 8, share):
        part = slice(first, first + share)
        rows = expand_causal(*pad(IDS[part]))
        yield never_empty({"features": tf.constant(FEATURES[part]), **rows})


@pytest.mark.parametrize(
    ("replicas", "accumulate", "baseline"),
    [
        (1, 3, "mean"),
        pytest.param(2, 1, "greedy", marks=SLOW),
        pytest.param(4, 2, "mean", marks=SLOW),
    ],
)
def test_replicas_and_parts_reward_as_one(first, replicas, accumulate, baseline):
    trainer, records = first
    results = []
    for count, parts in ((1, 1), (replicas, accumulate)):
        config = second(trainer, baseline=baseline, dropout=True, accumulate=parts)
        config = config.model_copy(update={"decoding": DecodingConfig(max_length=8)})
        objective = SelfCritical.of(config, records)
        steps = Steps(config, records, count, objective)
        steps.model.set_weights(trainer.model.get_weights())
        steps.batches = iter(
            steps.strategy.distribute_datasets_from_function(
                lambda _, count=count: tf.data.Dataset.from_generator(
                    lambda: shares(count), output_signature=BATCH
                )
            )
        )
        results.append((steps.take(1)[0], steps.model.get_weights()))
    (whole, weights), (other, its_weights) = results
    assert whole.count == other.count == 5 * 5
    assert whole.tokens == other.tokens == np.size(IDS.flat_values) - 9
    assert other.loss == pytest.approx(whole.loss, rel=1e-5)
    assert other.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-4)
    for a, b in zip(weights, its_weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_an_end_that_was_not_drawn_has_no_gradient(first):
    """At the last place nothing else could come."""
    trainer, records = first
    config = second(trainer).model_copy(
        update={"decoding": DecodingConfig(max_length=4), "model": trainer.config.model}
    )
    rewarded, model = SelfCritical.of(config, records), trainer.model
    written = tf.constant([[1, 4, 5, 2], [1, 4, 2, 0]])
    context = model.encode(tf.ones([1, 4])).select_rows(tf.constant([0, 0]))
    computed = tf.function(rewarded.surprise)(model, context, written, None)
    logits = model.predict_tokens(context, written[:, :-1]) + rewarded.rules.banned_mask
    chosen = tf.gather(tf.nn.log_softmax(logits), written[:, 1:], batch_dims=2)
    np.testing.assert_allclose(computed, -tf.reduce_sum(chosen[:, :2], 1), rtol=1e-5)


def iter_batches(trainer, records):
    from tfcap.data.pipeline import training_batches

    return iter(training_batches(records, trainer.settings, 0))


def test_the_command_takes_the_model_of_the_first_run(first, tmp_path, capsys):
    trainer, records = first
    (tmp_path / "scst.yaml").write_text(
        "training: {epochs: 1, score_photos: 0, self_critical: {samples: 2}}\n"
    )
    code = main.main(
        [
            *("train", "--config", str(tmp_path / "scst.yaml")),
            *("--init", trainer.workdir.path, "--records", records.directory),
            *("--workdir", str(tmp_path / "run")),
        ]
    )
    out, err = capsys.readouterr()
    assert code == 0, err
    assert "lowest dev loss (minus CIDEr-D) -" in out
    config = Workdir.open(str(tmp_path / "run")).config
    assert config.model == trainer.config.model
    assert config.training.self_critical.samples == 2
    assert config.training.init == trainer.workdir.path
    assert config.training.global_batch == 8


def test_another_model_than_that_of_the_first_run(first, tmp_path):
    trainer, records = first
    path = str(tmp_path / "own.yaml")
    (tmp_path / "own.yaml").write_text("model: {embedding_units: 6}\n")
    init = [f"training.init={trainer.workdir.path}"]
    base = trainer.workdir.config.model_dump(mode="json")
    config = load_config(path, init, base)
    with pytest.raises(UserError, match=r"has model\.embedding_units: 5, this run 6"):
        Trainer(config, records, str(tmp_path / "run"))
