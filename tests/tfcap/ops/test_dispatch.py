"""What a training step does in C++: TensorFlow's values and gradients, to rounding."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from losses import losses_and_gradients
from test_attending_models import batch as grids
from test_attending_models import build as attending
from test_models import batch as vectors
from test_models import build as merging

from tfcap.data.expansion import expand_causal, expand_prefixes
from tfcap.ops.attention import attend_native
from tfcap.ops.compilation import compiler
from tfcap.ops.cross_entropy import smoothed_cross_entropy
from tfcap.ops.dispatch import OPTIONS, SOURCE, kernels_for
from tfcap.ops.dropout import dropout

pytestmark = pytest.mark.usefixtures("step_operations")

MODELS = {
    "merge": (lambda: merging(text_dropout=0.4), vectors),
    "init": (lambda: merging(photo="init", output_dropout=0.4), vectors),
    "attention": (lambda: attending("attention", hidden_dropout=0.4), grids),
    "transformer": (lambda: attending("transformer", word_dropout=0.3), grids),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("expand", [expand_causal, expand_prefixes])
def test_a_step_has_the_same_losses_and_gradients(name, expand):
    make, batch = MODELS[name]
    model, seed = make(), tf.constant([1, 2, 3])
    expected, its_own = losses_and_gradients(model, batch(expand), seed)
    found, gradients = losses_and_gradients(model, batch(expand), seed, native=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for one, other in zip(gradients, its_own, strict=True):
        # A gradient is a sum whose terms may cancel: its rounding goes by the largest.
        largest = max(1.0, np.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6 * largest)


def random(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def values_and_gradients(function, *given, native):
    with kernels_for("CPU" if native else None), tf.GradientTape() as tape:
        tape.watch(given)
        values = function(*given)
        loss = tf.reduce_sum(values * random(*values.shape, seed=9))
    return values, *tape.gradient(loss, given)


@pytest.mark.parametrize("vocabulary", [1, 7, 16, 2503])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_the_same_for_any_vocabulary(vocabulary, smoothing):
    target = tf.constant([0, vocabulary - 1, vocabulary // 2])

    def losses(logits):
        return smoothed_cross_entropy(logits, target, smoothing)

    logits = random(3, vocabulary) * 4
    expected = values_and_gradients(losses, logits, native=False)
    found = values_and_gradients(losses, logits, native=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_cross_entropy_of_extremes():
    target = tf.constant([1, 0, 2])
    never = [[1000.0, 0.0, 0.0], [-1e4, 0.0, 1e4], [0.0, -np.inf, 0.0]]
    with kernels_for("CPU"):
        losses = smoothed_cross_entropy(tf.constant(never), target, 0.0)
        broken = smoothed_cross_entropy(
            tf.constant([[0.0, np.nan, 0.0]]), target[:1], 0.1
        )
    np.testing.assert_allclose(losses, [1000, 20000, np.log(2)], rtol=1e-6)
    assert np.isnan(broken).all()


def test_a_target_outside_of_the_vocabulary_is_refused(step_operations):
    for target in (-1, 3):
        with pytest.raises(tf.errors.InvalidArgumentError, match="outside of the voc"):
            step_operations.tfcap_cross_entropy(
                tf.zeros([1, 3]), [target], smoothing=0.0
            )


@pytest.mark.parametrize(
    "shape", [[5, 3], [4, 256], [2, 5, 13], [0, 4], [3, 0], [6, 1]]
)
def test_dropout_drops_the_same_to_the_bit(shape):
    seeds = tf.range(shape[0]) * 77

    def dropped(values):
        return dropout(values, 0.3, seeds, 5)

    values = random(*shape)
    expected = values_and_gradients(dropped, values, native=False)
    found = values_and_gradients(dropped, values, native=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_dropout_drops_what_is_no_number():
    seeds = tf.range(100)
    values = tf.fill([100, 3], np.nan)
    with kernels_for("CPU"):
        found = dropout(values, 0.5, seeds, 1)
    np.testing.assert_array_equal(found, dropout(values, 0.5, seeds, 1))
    assert (found.numpy() == 0).any()


def attention(query, key, value, visible, heads):
    """By definition, in a loop over heads; visible bool [n, m]."""
    seen = []
    parts = [tf.split(part, heads, 1) for part in (query, key, value)]
    for q, k, v in zip(*parts, strict=True):
        scores = tf.matmul(q, k, transpose_b=True) * q.shape[1] ** -0.5
        shares = tf.nn.softmax(tf.where(visible, scores, -1e9))
        seen.append(tf.matmul(tf.where(visible, shares, 0.0), v))
    return tf.concat(seen, 1)


@pytest.mark.parametrize(
    ("group", "begins", "causal"),
    [
        ([0, 0, 2, 2, 1, 0], [0, 3, 4, 9], False),
        ([2, 0, 2], [0, 20, 20, 57], False),  # no key in group 1, no query for it
        ([0, 0, 0, 1, 3, 3, 3, 3], [0, 3, 4, 4, 8], True),
    ],
)
def test_attention_sees_the_keys_of_its_group(step_operations, group, begins, causal):
    heads, keys = 2, begins[-1]
    query, key, value = random(len(group), 6), random(keys, 6), random(keys, 6, seed=1)
    of_key = np.repeat(np.arange(len(begins) - 1), np.diff(begins))
    visible = np.array(group)[:, None] == of_key
    if causal:
        visible &= np.arange(keys) <= np.arange(len(group))[:, None]

    def ours(*parts):
        group_of_query, ranges = tf.constant(group), tf.constant(begins)
        return attend_native(
            step_operations, *parts, group_of_query, ranges, heads, causal
        )

    def theirs(*parts):
        return attention(*parts, visible, heads)

    expected = values_and_gradients(theirs, query, key, value, native=False)
    found = values_and_gradients(ours, query, key, value, native=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("group", "begins", "heads"),
    [
        ([0, 2], [0, 2, 4], 2),
        ([-1, 0], [0, 2, 4], 2),
        ([0, 0], [0, 3, 2], 2),
        ([0, 0], [0, 5], 2),
        ([0], [0, 4], 2),
        ([0, 0], [0, 4], 4),
        ([0, 0], [], 2),
    ],
)
def test_groups_that_do_not_fit_are_refused(step_operations, group, begins, heads):
    parts = [random(2, 6), random(4, 6), random(4, 6)]
    with pytest.raises(tf.errors.InvalidArgumentError, match="do not fit"):
        step_operations.tfcap_attend(
            *parts,
            tf.constant(group, tf.int32),
            tf.constant(begins, tf.int32),
            heads=heads,
            causal=False,
        )


@pytest.mark.parametrize(
    ("lengths", "message"), [([2, 2], "another size"), ([4, -1], "another size")]
)
def test_rows_that_do_not_fit_are_refused(step_operations, lengths, message):
    none = tf.zeros([0, 2])
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        step_operations.tfcap_lstm(
            random(3, 8), tf.constant(lengths), random(2, 8), none, none
        )


HASH = """
import hashlib, sys
import numpy as np, tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
from tfcap.ops.dispatch import native_ops, kernels_for
with kernels_for("CPU"):
    own = native_ops(tf.zeros([]))
rng = np.random.default_rng(0)
def random(*shape):
    return tf.constant(rng.normal(size=shape), tf.float32)
lengths = tf.constant(rng.integers(1, 9, 100), tf.int32)
words, none = int(tf.reduce_sum(lengths)), tf.zeros([0, 40])
weights, gates = random(40, 160), random(words, 160)
hidden, cell, opened = own.tfcap_lstm(gates, lengths, weights, none, none)
found = [hidden, *own.tfcap_lstm_gradient(
    opened, lengths, weights, none, none, hidden, cell, random(words, 40))]
begins = tf.concat([[0], tf.cumsum(lengths)], 0)
row = tf.repeat(tf.range(100), lengths)
parts = [random(words, 40), random(words, 40), random(words, 40), row, begins]
seen, sums = own.tfcap_attend(*parts, heads=4, causal=True)
found += [seen, *own.tfcap_attend_gradient(
    *parts, seen, sums, random(words, 40), heads=4, causal=True)]
found += own.tfcap_cross_entropy(random(words, 999), row, smoothing=0.1)
print(hashlib.sha256(b"".join(part.numpy().tobytes() for part in found)).hexdigest())
"""


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_threads():
    digests = {
        subprocess.run(
            [sys.executable, "-c", HASH, str(threads)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for threads in (1, 3)
    }
    assert len(digests) == 1


@pytest.mark.parametrize("processor", ["x86-64", "sapphirerapids"])
def test_it_compiles_for_other_processors(processor):
    chosen = [f"-march={processor}" if "native" in o else o for o in OPTIONS]
    check = [*compiler(), *chosen, "-fsyntax-only", "-w", "-x", "c++"]
    if subprocess.run([*check, os.devnull], capture_output=True).returncode:
        pytest.skip(f"{compiler()[0]} knows no {processor}")
    ended = subprocess.run(
        [*check, *tf.sysconfig.get_compile_flags(), str(SOURCE)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
