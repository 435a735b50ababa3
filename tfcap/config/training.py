"""Configuration of a run: the section `training`."""

import math
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from tfcap.config.base import Fraction, Section


class ScheduleConfig(Section):
    """The learning rate over the steps of a run.

    Attributes:
        kind: `constant`; `step`: `rate`, and the rates of `steps` from their epochs on;
            `cosine`: from `rate` down to `final_fraction` of it at the last step.
        rate: the (first) learning rate.
        warmup_steps: steps over which it rises linearly from zero.
        final_fraction: last rate of the cosine, as a fraction of `rate`.
        steps: for `step`, pairs of (epoch, rate), the first after epoch 0.
    """

    kind: Literal["constant", "step", "cosine"] = "cosine"
    rate: float = Field(1e-3, gt=0)
    warmup_steps: int = Field(0, ge=0)
    final_fraction: float = Field(0.01, ge=0, le=1)
    steps: list[tuple[int, float]] = Field([])

    @model_validator(mode="after")
    def _steps_belong_to_step(self) -> "ScheduleConfig":
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
        samples: number of captions drawn for each photo.
        baseline: subtracted from a caption's reward: the `mean` reward of the photo's
            other captions, or the reward of the `greedy` caption.
        dropout: use dropout in the pass that is differentiated; captions are always
            drawn without it.
    """

    samples: int = Field(5, ge=1)
    baseline: Literal["mean", "greedy"] = "mean"
    dropout: bool = False

    @model_validator(mode="after")
    def _a_mean_needs_others(self) -> "SelfCriticalConfig":
        if self.baseline == "mean" and self.samples < 2:
            raise ValueError(
                "`baseline: mean` compares a caption with the others drawn of its "
                "photo: `samples` must be 2 or more; or take `baseline: greedy`"
            )
        return self


class FineTuningConfig(Section):
    """Training of the encoder along with the model; `tfcap.encoders.trainable`.

    Attributes:
        rate: the encoder's (first) learning rate; follows the shape of `schedule`.
        from_layer: the first layer that is trained, in the order of Keras' summary; the
            layers before it are frozen. Null trains all.
        flip: mirror half of the photos left to right, at random.
        crop: side of a random crop, as a fraction of the photo's width and height; 1.0
            takes the whole photo.
    """

    rate: float = Field(1e-5, gt=0)
    from_layer: str | None = None
    flip: bool = True
    crop: float = Field(0.875, gt=0, le=1)


class TrainingConfig(Section):
    """The training run.

    Attributes:
        expansion: `prefix`: a row per (prefix, next token); `causal`: one shifted
            sequence per caption. The objective is the same; `causal` takes about a
            tenth of the time and memory with words, a thirtieth with characters.
        global_batch: photos per step, over all replicas.
        epochs: passes over the training photos, at most.
        strategy: `cpu`, `gpu`, `mirrored`, `multi_worker`, `tpu`; `auto` picks by the
            devices that are available.
        seed: seed of weights, dropout and the order of photos.
        schedule: the learning rate.
        precision: dtype that layers compute in: `float32`, `mixed_bfloat16`, or
            `mixed_float16` with a scaled loss. Weights are always float32.
        accumulate: number of parts that a replica's share of a global batch is cut into
            for one update. More parts take less memory; the gradient is the same.
        jit_compile: compile the step by XLA, as TPUs need: forward, backward and, on
            one replica, the update. Batches are padded to a few sizes; the captions'
            lengths are read once to find them.
        native_ops: train on a CPU by native operations, which a C++ compiler makes at
            their first use. `auto` does if they can be compiled. A run records which it
            is, and keeps to it when it is resumed. Other devices and XLA have none.
        average_decay: decay of the moving average of the weights. The average is what
            is scored, kept as best and exported; null trains without one.
        clip_norm: largest global norm of the gradients; null does not clip.
        label_smoothing: weight spread over the whole vocabulary.
        patience: number of epochs without a better dev loss after which training stops;
            null never stops early.
        shuffle_photos: number of photos that are held in memory and shuffled together,
            rounded to whole shards.
        checkpoint_steps: steps between two checkpoints; each epoch ends with one, too.
        keep_checkpoints: number of newest checkpoints that are kept, and of those with
            the lowest dev loss; `tfcap average` reads them. At least 2, in case the
            newest one is damaged.
        log_steps: steps between two points of the curves.
        score_photos: number of dev photos, the first in stored order, that are
            captioned greedily after every epoch; TensorBoard shows their CIDEr and
            BLEU-4. A hundred take less than a second. 0 scores none.
        init: work directory whose best weights training starts from (`tfcap train
            --init`); null starts from random weights.
        self_critical: train by CIDEr-D instead of cross-entropy, from the weights of
            `init`; the loss is minus the mean reward. Null trains by cross-entropy.
        fine_tuning: train the encoder as well, from photos that the records keep
            (`records.keep_photos`); null reads the records' features.
    """

    came_later: ClassVar = {
        "precision": "float32",
        "accumulate": 1,
        "jit_compile": False,
        "native_ops": "auto",
        "average_decay": None,
        "keep_checkpoints": 2,
        "score_photos": 0,
        "init": None,
        "self_critical": None,
        "fine_tuning": None,
    }

    expansion: Literal["prefix", "causal"] = "prefix"
    global_batch: int = Field(64, ge=1)
    epochs: int = Field(20, ge=1)
    strategy: Literal["auto", "cpu", "gpu", "mirrored", "multi_worker", "tpu"] = "auto"
    seed: int = 0
    schedule: ScheduleConfig = ScheduleConfig()
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    accumulate: int = Field(1, ge=1)
    jit_compile: bool = False
    native_ops: Literal["auto"] | bool = "auto"
    average_decay: Fraction | None = None
    clip_norm: float | None = Field(None, gt=0)
    label_smoothing: Fraction = 0.0
    patience: int | None = Field(None, ge=1)
    shuffle_photos: int = Field(1024, ge=1)
    checkpoint_steps: int = Field(500, ge=1)
    keep_checkpoints: int = Field(2, ge=2)
    log_steps: int = Field(10, ge=1)
    score_photos: int = Field(100, ge=0)
    init: str | None = None
    self_critical: SelfCriticalConfig | None = None
    fine_tuning: FineTuningConfig | None = None

    @property
    def loss_note(self) -> str:
        """The text after the word "loss" where a loss is printed."""
        return " (minus CIDEr-D)" if self.self_critical else ""

    def steps_per_epoch(self, photos: int) -> int:
        """Returns the number of global batches of an epoch; the last may be smaller."""
        return math.ceil(photos / self.global_batch)

    @model_validator(mode="after")
    def _rewards_need_references(self) -> "TrainingConfig":
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
    def _xla_knows_no_native_operation(self) -> "TrainingConfig":
        if self.jit_compile and self.native_ops is True:
            raise ValueError(
                "`jit_compile` uses operations of XLA alone: leave `native_ops` out"
            )
        return self

    @model_validator(mode="after")
    def _parts_have_no_one_size(self) -> "TrainingConfig":
        if self.jit_compile and self.accumulate > 1:
            raise ValueError(
                f"`jit_compile` needs `accumulate: 1`, received {self.accumulate}: "
                "parts of a batch have no one size"
            )
        return self
