"""What the launcher of the Flex Template runs: build_records with its parameters.

A template passes each parameter once, as --name=value. So the values of one that may be
repeated stand with `;` between them, and one that has no value is `true` or `false`:

    --captions=train=gs://b/a.json;dev=gs://b/b.json   two --captions
    --overwrite=true                                   --overwrite
"""

import os
import sys
from collections.abc import Iterator, Sequence

REPEATED = ("--captions", "--field", "--set")
SWITCHES = ("--overwrite",)


def flags(parameters: Sequence[str]) -> Iterator[str]:
    """Yields the flags of the command for the parameters of the template."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name in REPEATED:
            yield from (f"{name}={one}" for one in value.split(";"))
        elif name in SWITCHES:
            yield from [name] * (value == "true")
        else:
            yield parameter


if __name__ == "__main__":
    from beam_jobs import build_records
    from records.console import run_command

    os.chdir(os.path.dirname(os.path.abspath(__file__)))  # where configs/ is
    sys.exit(run_command(lambda: build_records.main(list(flags(sys.argv[1:])))))
