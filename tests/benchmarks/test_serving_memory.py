"""What a server holds in memory, on a small scale."""

import pytest

pytest.importorskip("httpx", reason="needs the extras serve and dev")
pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")

from tests.benchmarks import serving_memory
from tests.tfcap.serving import fakes, served

pytestmark = pytest.mark.slow


def test_memory_is_shown_after_each_kind_of_request(tmp_path, monkeypatch, capsys):
    photos = [fakes.photo()]
    monkeypatch.setattr(serving_memory, "draw_photos", lambda bare: photos)
    model = served.export(tmp_path / "model")
    few = ["--captions=3", "--explanations=2", "--chunked=1"]
    assert serving_memory.main([model, *few]) == 0
    *lines, _ = capsys.readouterr().out.splitlines()
    told = [line.split(maxsplit=1)[1] for line in lines]
    assert told == [
        "MiB, ready",
        "MiB after 3 captions",
        "MiB after 2 explanations",
        "MiB after 1 captions of photos in chunks of a byte",
        "MiB at most",
    ]
    assert all(float(line.split()[0]) > 50 for line in lines)
