"""The load that is put on a server, on a small scale."""

import pytest

pytest.importorskip("httpx", reason="needs the extras serve and dev")
pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")

from records.errors import UserError
from tests.benchmarks import serving
from tests.tfcap.serving import served

pytestmark = pytest.mark.slow


def test_every_request_is_answered_and_timed(tmp_path):
    model, photos = served.export(tmp_path / "model"), serving.draw_photos(bare=True)
    load = serving.Load(clients=4, requests=40)
    found = serving.measure(model, ["batch=4"], photos, load)
    assert len(found.latencies) == 40 and min(found.latencies) > 0
    assert sum(found.latencies) <= 4 * found.seconds
    assert 1 <= found.batch <= 4 and found.cpu_seconds > 0 and found.memory_after > 50
    assert len(found.row("batches")) == 1 + len(serving.COLUMNS)
    with pytest.raises(UserError, match=r"the server answers http/1.1 413"):
        serving.measure(model, ["max_pixels=1"], photos[1:], load)
