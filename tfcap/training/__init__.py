"""The training loop.

trainer.py           a run: restore, train, score, save
state.py             what a checkpoint holds
train_step.py        update by one global batch
gradients.py         loss and gradients of a replica's share of it
objectives.py        cross-entropy of the target tokens
self_critical.py     the objective of the second phase
optimizers.py        Adam and its learning rate
vectors.py           weights, moments and averages end to end
weight_average.py    moving average of the weights
native_choice.py     whether a run uses native operations
distributed/         replicas and workers
metrics_logger.py    progress bar and TensorBoard
dev_scores.py        scores of some dev photos after every epoch
sample_captions.py   captions of a few photos after every epoch
run_summary.py       devices, precision, photos and parameters of a run
diagnostics.py       explains why a run failed
signals.py           Ctrl-C and SIGTERM
"""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.training.trainer import Trainer

__all__ = ["Trainer"]

__getattr__ = lazy_names(__name__, {"Trainer": "trainer"})
