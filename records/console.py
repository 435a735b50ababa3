"""What every command does alike: errors in one sentence, exit codes."""

import os
import sys
from collections.abc import Callable

from records.errors import UserError

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
        # The reader of our output has gone (`| head`): let the interpreter's last
        # flush find somewhere to write.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
