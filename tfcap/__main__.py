"""`python -m tfcap`, the same as `tfcap`."""

import sys

from tfcap.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
