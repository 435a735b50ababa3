"""The training loop.

trainer.py           a run: restore, train, score, save
train_step.py        loss and update of one global batch
self_critical.py     the objective of the second phase
optimizers.py        Adam and its learning rate
weight_average.py    moving average of the weights
distributed/         replicas and workers
metrics_logger.py    progress bar and TensorBoard
sample_captions.py   captions of a few photos after every epoch
run_summary.py       what is printed at the start
diagnostics.py       why a run failed
signals.py           Ctrl-C and SIGTERM
"""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.training.trainer import Trainer

__all__ = ["Trainer"]

__getattr__ = lazy_names(__name__, {"Trainer": "trainer"})
