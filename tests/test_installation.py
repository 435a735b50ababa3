"""Folders of data named like our packages, in the current directory."""

import subprocess
import sys

import pytest

HARM = "from pathlib import Path\nPath('harm').touch()\n"
RESOURCES = """
from records import compiled, look, page
from tfcap import step_operations
from tfcap.web.static_files import read_static
import beam_jobs.elements
look.look(), page.load_template("card"), read_static("caption/page.html")
step_operations.SOURCE.read_bytes()
"""


@pytest.fixture
def data_folders(tmp_path):
    """A directory of data folders with Python files that nobody should run."""
    for package in ("records", "tfcap", "beam_jobs"):
        folder = tmp_path / package
        folder.mkdir()
        for module in ("__main__", "schema", "errors", "cli", "config", "elements"):
            (folder / f"{module}.py").write_text(HARM)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "records", "inspect", "--help"],
        ["-m", "tfcap.cli.main", "train", "--help"],
        ["-c", RESOURCES],
    ],
    ids=["records", "tfcap", "resources"],
)
def test_a_data_folder_named_like_a_package_is_not_imported(data_folders, command):
    process = subprocess.run(
        [sys.executable, *command], cwd=data_folders, capture_output=True, text=True
    )
    assert not (data_folders / "harm").exists(), "install again: make setup"
    assert process.returncode == 0, process.stderr
