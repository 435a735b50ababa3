"""The notebooks of the documentation run from top to bottom."""

import os
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs" / "notebooks").glob("*.md"))

jupytext = pytest.importorskip("jupytext", reason="needs tfcap[docs]")
nbclient = pytest.importorskip("nbclient", reason="needs tfcap[docs]")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("TFCAP_NOTEBOOK", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    notebook = jupytext.read(path)
    nbclient.NotebookClient(notebook, timeout=900).execute()
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
