"""Runs `tfcap train` with faults, at exact steps.

    python faulty_train.py FOLDER train ...

FOLDER holds an empty file for each fault, named STEP-WORKER-SIGNAL. After that step the
worker removes the file and sends itself the signal.
"""

import os
import sys
from pathlib import Path

from tfcap.cli.main import main
from tfcap.training.trainer import Trainer

FOLDER = Path(sys.argv[1])
check_stop_signal = Trainer.check_stop_signal


def check_with_faults(trainer: Trainer, number: int) -> None:
    for fault in FOLDER.iterdir():
        step, worker, signal = map(int, fault.name.split("-"))
        if trainer.steps >= step and trainer.cluster.number == worker:
            fault.unlink()
            os.kill(os.getpid(), signal)
    check_stop_signal(trainer, number)


if __name__ == "__main__":
    Trainer.check_stop_signal = check_with_faults
    sys.exit(main(sys.argv[2:]))
