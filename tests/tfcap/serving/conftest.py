import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for served


@pytest.fixture(scope="session")
def sizes_model(tmp_path_factory) -> str:
    """A SavedModel that says how large a photo is; see `served`."""
    served = pytest.importorskip("served", reason="needs the extras serve and dev")
    return served.export(tmp_path_factory.mktemp("sizes"))
