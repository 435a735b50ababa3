"""The notebook's training in a process of its own, with memory as its reader has it.

    python -m tests.benchmarks.notebook_process RECORDS STEPS

What tfcap tells glibc (`tfcap/cli/malloc.py`) is not told here. The last line it prints
is a JSON object with the rows trained on per second, after as many others.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import json
import sys

from records.format.record_set import RecordSet
from tests.benchmarks.training_measures import NotebookTraining


def main() -> int:
    directory, steps = sys.argv[1:]
    training = NotebookTraining(RecordSet.open(directory), int(steps))
    training.sample()  # traces the step
    print(json.dumps({"rows": training.sample()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
