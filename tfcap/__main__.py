"""The command `tfcap`, and `python -m tfcap`, the same."""

import sys

from records.interrupts import exit_on_ctrl_c


def main() -> int:
    exit_on_ctrl_c()
    from tfcap.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
