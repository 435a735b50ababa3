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

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcap.training.trainer import Trainer

__all__ = ["Trainer"]
# Imported at first use: `import tfcap.training` loads no TensorFlow.
MODULES = {
    "Trainer": "tfcap.training.trainer",
}


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)
