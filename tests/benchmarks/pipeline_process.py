"""Epochs through the input pipeline in a process of its own.

    python -m tests.benchmarks.pipeline_process RECORDS GLOBAL_BATCH EPOCHS

The last line it prints is a JSON object with the MiB that this took at its peak, beyond
what the process had after the first batch of another epoch.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import json
import sys

from records.format.record_set import RecordSet
from tests.benchmarks import machine
from tests.benchmarks.common import exhaust, experiment
from tfcap.data.pipeline import training_batches


def main() -> int:
    directory, size, epochs = sys.argv[1:]
    held = RecordSet.open(directory)
    config = experiment("prefix", int(size)).training
    exhaust(training_batches(held, config, 0).take(1))  # TensorFlow's own start
    before = machine.own_memory("VmRSS")
    exhaust(training_batches(held, config, 1, epochs=int(epochs)))
    print(json.dumps({"mib": machine.own_memory("VmHWM") - before}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
