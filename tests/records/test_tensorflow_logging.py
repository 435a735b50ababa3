import os
import subprocess
import sys

import pytest

IMPORTED = "import sys; import records.tensorflow_logging; print(*sys.modules)"
SILENCED = """
from records.tensorflow_logging import silence_startup
silence_startup()
import os, tensorflow
os.write(2, b"after")
"""


def run(code: str, **variables: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **variables},
        capture_output=True,
        text=True,
    )


def test_importing_the_module_does_not_import_tensorflow():
    assert "tensorflow" not in run(IMPORTED).stdout.split()


def test_standard_error_is_silent_only_while_tensorflow_is_imported():
    assert run(SILENCED).stderr == "after"


@pytest.mark.parametrize("level", ["0", "2"])
def test_a_level_of_the_user_is_kept(level):
    code = SILENCED + "print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    process = run(code, TF_CPP_MIN_LOG_LEVEL=level)
    assert process.stdout.strip() == level
    assert len(process.stderr) > len("after")
