"""Folders of data named like our packages, in the current directory."""

import os
import subprocess
import sys

import pytest

HARM = "from pathlib import Path\nPath('harm').touch()\n"
RESOURCES = """
from importlib.resources import files
import beam_jobs.elements
files("records.html").joinpath("theme.css").read_text()
files("records.html").joinpath("macros.html").read_text()
files("records.inspection").joinpath("page.html").read_text()
files("tfcap.ops").joinpath("native", "step.cc").read_bytes()
files("tfcap.web").joinpath("caption", "page.html").read_text()
for package in ("records", "tfcap", "beam_jobs"):
    files(package).joinpath("py.typed").read_text()
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
        ["-m", "tfcap", "train", "--help"],
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


@pytest.mark.parametrize("package", ["tfcap.cli.main", "beam_jobs.build_records"])
def test_pypis_package_of_the_name_records_is_refused(tmp_path, package):
    (tmp_path / "records.py").write_text("import sqlalchemy\n")
    process = subprocess.run(
        [sys.executable, "-m", package, "--help"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert process.returncode != 0
    assert process.stderr.splitlines()[-1] == (
        f"ImportError: `import records` finds {tmp_path / 'records.py'}, another "
        "package than tfcap's own `records`; remove it: pip uninstall records"
    )
