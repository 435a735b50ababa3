"""The section `training`."""

import re

import pytest

from tfcap.config.training import TrainingConfig


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{globl_batch: 1}", "'training.globl_batch'; did you mean 'global_"),
        ("{schedule: {rat: 1}}", "did you mean 'rate'"),
        ("{self_critical: {sample: 1}}", "did you mean 'samples'"),
        ('{global_batch: "64"}', "training.global_batch: .*received '64'"),
        ("{global_batch: 0}", "greater than or equal to 1; received 0"),
        ("{schedule: {kind: step}}", "`steps` .* belongs to `kind: step`"),
        (
            "{schedule: {kind: step, steps: [[3, 0.1], [2, 0.1]]}}",
            "epochs in `steps` must rise",
        ),
        ("{self_critical: {}}", "it needs `expansion: causal`"),
        (
            "{expansion: causal, self_critical: {samples: 1}}",
            "`samples` must be 2 or more",
        ),
        (
            "{expansion: causal, self_critical: {}, jit_compile: true}",
            "leave `jit_compile` out",
        ),
        ("{jit_compile: true, native_ops: true}", "leave `native_ops` out"),
        ("{jit_compile: true, accumulate: 2}", "needs `accumulate: 1`, received 2"),
    ],
)
def test_wrong_training_is_explained(refused, text, message):
    assert re.search(message, refused(f"training: {text}"))


def test_the_last_batch_of_an_epoch_may_be_smaller():
    training = TrainingConfig(global_batch=8)
    assert [training.steps_per_epoch(photos) for photos in (8, 9, 16)] == [1, 2, 2]
