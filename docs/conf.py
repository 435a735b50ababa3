"""Configuration of the documentation site; `make docs` builds it."""

import importlib.metadata
import os
import sys
from pathlib import Path

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
os.environ["COLUMNS"] = "90"  # width of the help texts in the reference
HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from reference_pages import write_pages  # noqa: E402  (beside this file)

project = "tfcap"
author = "the tfcap authors"
release = importlib.metadata.version("tfcap")
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
]
html_theme = "furo"
html_title = "tfcap"
exclude_patterns = ["reference/generated/recipes.md", "**/.ipynb_checkpoints"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # tests/docs/test_notebooks.py runs them
autodoc_member_order = "bysource"
autodoc_typehints = "description"
copybutton_exclude = ".linenos, .gp, .go"
nitpicky = False

write_pages(HERE / "reference" / "generated")
