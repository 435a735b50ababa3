import contextlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for fakes and served


@pytest.fixture
def captioner():
    from fakes import FakeCaptioner

    return FakeCaptioner()


@pytest.fixture
def serve(captioner):
    """Makes a client of an application with other settings."""
    from starlette.testclient import TestClient

    from tfcap import serving
    from tfcap.config.serving import ServingConfig

    with contextlib.ExitStack() as stack:

        def serve(token=None, **settings) -> TestClient:
            app = serving.create_app(captioner, ServingConfig(**settings), token)
            client = TestClient(app, raise_server_exceptions=False)
            return stack.enter_context(client)

        yield serve


@pytest.fixture
def client(serve):
    return serve()


@pytest.fixture(scope="session")
def sizes_model(tmp_path_factory) -> str:
    """A SavedModel that says how large a photo is; see `served`."""
    served = pytest.importorskip("served", reason="needs the extras serve and dev")
    return served.export(tmp_path_factory.mktemp("sizes"))
