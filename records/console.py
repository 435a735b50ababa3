"""What every command does alike: quiet start, errors in one sentence, exit codes.

Import this before TensorFlow: it silences the start-up lines TensorFlow writes to
standard error (set TF_CPP_MIN_LOG_LEVEL yourself to see them).
"""

import os
import sys
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from records.errors import UserError  # noqa: E402

INTERRUPTED = 130


def run_command(main: Callable[[], int | None]) -> int:
    """Runs a command: its exit code, 1 after a UserError, 130 after Ctrl-C."""
    try:
        return main() or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); nothing is left to say to it.
        sys.stdout = open(os.devnull, "w")
        return 0
