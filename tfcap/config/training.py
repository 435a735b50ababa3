"""Configuration of a run: the section `training`."""

import math
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tfcap.config.base import Fraction, Section


class ScheduleConfig(Section):
    """Learning rate over the steps of a run.

    Attributes:
        kind: `constant`; `step`: `rates[i]` from epoch `epochs[i]` on; `cosine`: from
            `rate` down to `final_fraction` of it at the last step.
        rate: the (first) learning rate.
        warmup_steps: steps over which it rises linearly from nothing.
        final_fraction: where the cosine ends.
        steps: for `step`, pairs of (epoch, rate), the first after epoch 0.
    """

    kind: Literal["constant", "step", "cosine"] = "cosine"
    rate: float = Field(1e-3, gt=0)
    warmup_steps: int = Field(0, ge=0)
    final_fraction: float = Field(0.01, ge=0, le=1)
    steps: list[tuple[int, float]] = Field([])

    @model_validator(mode="after")
    def _steps_belong_to_step(self):
        if bool(self.steps) != (self.kind == "step"):
            raise ValueError(
                "`steps` (pairs of epoch and rate) belongs to `kind: step`, and "
                "`kind: step` needs it"
            )
        if [e for e, _ in self.steps] != sorted({e for e, _ in self.steps if e > 0}):
            raise ValueError("epochs in `steps` must rise, from 1 on")
        return self


class SelfCriticalConfig(Section):
    """Training by the CIDEr-D of captions drawn (`tfcap.training.self_critical`).

    Attributes:
        samples: captions drawn of each photo.
        baseline: what a caption's reward is compared with: the `mean` of the others
            drawn of the photo, or the reward of the `greedy` caption.
        dropout: whether the pass that gives the gradient drops out as well; the
            captions are always drawn without.
    """

    samples: int = Field(5, ge=1)
    baseline: Literal["mean", "greedy"] = "mean"
    dropout: bool = False

    @model_validator(mode="after")
    def _a_mean_needs_others(self):
        if self.baseline == "mean" and self.samples < 2:
            raise ValueError(
                "`baseline: mean` compares a caption with the others drawn of its "
                "photo: `samples` must be 2 or more; or take `baseline: greedy`"
            )
        return self


class FineTuningConfig(Section):
    """Training of the encoder along with the model; `tfcap.encoders.trainable`.

    Attributes:
        rate: the encoder's (first) learning rate; rises and falls as `schedule` does.
        from_layer: the first layer that is trained, in the order of Keras' summary;
            those before it stay as they are. Null trains all.
        flip: every second photo is mirrored, left to right.
        crop: of a photo's width and of its height, this part is seen, drawn anew each
            time; 1.0: all of it, as outside training.
    """

    rate: float = Field(1e-5, gt=0)
    from_layer: str | None = None
    flip: bool = True
    crop: float = Field(0.875, gt=0, le=1)


class TrainingConfig(Section):
    """The training run.

    Attributes:
        expansion: `prefix`: a row per (prefix, next token); `causal`: one shifted
            sequence per caption, the same objective for less work: of words about a
            tenth, of characters a thirtieth, and of memory too.
        global_batch: photos per step, over all replicas.
        epochs: passes over the training photos, at most.
        strategy: `auto` picks by what is there; or `cpu`, `gpu`, `mirrored`,
            `multi_worker`, `tpu`.
        data_service: dispatcher of a tf.data service, as `grpc://host:port`, whose
            workers parse and expand; null does it here. The batches are the same.
        seed: of weights, dropout and order.
        schedule: the learning rate.
        precision: `float32`; or what layers compute in, their weights staying float32:
            `mixed_bfloat16`, or `mixed_float16` with its loss scaled against underflow.
        accumulate: parts that each replica's share of a global batch is cut into, for
            one update: less memory, the same gradient.
        jit_compile: compile loss and gradient by XLA, as TPUs need: every batch is
            padded to one size, found by reading the captions' lengths once.
        average_decay: of the moving average of the weights, which then is what is
            scored, kept as best and exported; null trains without.
        clip_norm: gradients are scaled down to this global norm; null leaves them.
        label_smoothing: weight spread over the whole vocabulary.
        patience: stop after so many epochs without a better dev loss; null never does.
        shuffle_photos: about how many photos, of whole shards, are mixed at a time;
            bounds the memory it takes.
        checkpoint_steps: save every so many steps as well as after each epoch.
        keep_checkpoints: of the newest states, and of those with the lowest dev loss;
            `tfcap average` can take so many. 2: if one is torn, the other is there.
        log_steps: steps between two points of the curves.
        init: work directory whose best weights training starts from (`tfcap train
            --init`); null draws them.
        self_critical: train by CIDEr-D in the place of cross-entropy, from the weights
            of `init`; null does not. The loss is then minus the mean reward.
        fine_tuning: train the encoder as well, from photos that the records keep
            (`records.keep_photos`); null takes the records' features as they are.
    """

    came_later: ClassVar = {
        "data_service": None,
        "precision": "float32",
        "accumulate": 1,
        "jit_compile": False,
        "average_decay": None,
        "keep_checkpoints": 2,
        "init": None,
        "self_critical": None,
        "fine_tuning": None,
    }

    expansion: Literal["prefix", "causal"] = "prefix"
    global_batch: int = Field(64, ge=1)
    epochs: int = Field(20, ge=1)
    strategy: Literal["auto", "cpu", "gpu", "mirrored", "multi_worker", "tpu"] = "auto"
    data_service: str | None = Field(None, pattern=r"^grpc://.+:\d+$")
    seed: int = 0
    schedule: ScheduleConfig = ScheduleConfig()
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    accumulate: int = Field(1, ge=1)
    jit_compile: bool = False
    average_decay: Fraction | None = None
    clip_norm: float | None = Field(None, gt=0)
    label_smoothing: Fraction = 0.0
    patience: int | None = Field(None, ge=1)
    shuffle_photos: int = Field(1024, ge=1)
    checkpoint_steps: int = Field(500, ge=1)
    keep_checkpoints: int = Field(2, ge=2)
    log_steps: int = Field(10, ge=1)
    init: str | None = None
    self_critical: SelfCriticalConfig | None = None
    fine_tuning: FineTuningConfig | None = None

    def steps_per_epoch(self, photos: int) -> int:
        """Global batches that so many photos make; the last one may be smaller."""
        return math.ceil(photos / self.global_batch)

    @model_validator(mode="after")
    def _rewards_need_references(self):
        if self.self_critical and self.expansion != "causal":
            raise ValueError(
                "`self_critical` compares with whole captions: it needs `expansion: "
                "causal`"
            )
        if self.self_critical and self.jit_compile:
            raise ValueError(
                "`self_critical` draws captions of any length: leave `jit_compile` out"
            )
        return self

    @model_validator(mode="after")
    def _parts_have_no_one_size(self):
        if self.jit_compile and self.accumulate > 1:
            raise ValueError(
                f"`jit_compile` needs `accumulate: 1`, received {self.accumulate}: "
                "parts of a batch have no one size"
            )
        return self
