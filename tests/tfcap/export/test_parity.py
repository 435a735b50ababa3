"""Captions of the trained model beside those of its export."""

from small_encoders import jpeg

from tfcap.cli import main
from tfcap.export import (
    parity,
)
from tfcap.inference.captioner import Captioner


def test_live_and_exported_side_by_side(trained, tmp_path, capsys):
    paths = [tmp_path / f"{i}.jpg" for i in range(3)]
    for path, content in zip(paths, [jpeg(1), b"text", jpeg(2)]):
        path.write_bytes(content)
    flags = ["export", f"--workdir={trained.path}", f"--output={tmp_path / 'out'}"]
    assert main.main([*flags, "--check", str(tmp_path / "none.jpg")]) == 1
    assert "none.jpg" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main.main([*flags, "--check", *map(str, paths)]) == 0
    printed = capsys.readouterr().out
    assert "3 of 3 captions are the same" in printed
    assert "warm-up requests for TensorFlow Serving in it" in printed


def test_photos_are_compared_a_few_at_a_time(captioner, model, tmp_path, monkeypatch):
    monkeypatch.setattr(parity, "AT_A_TIME", 2)
    paths = [tmp_path / f"{i}.jpg" for i in range(3)]
    for i, path in enumerate(paths):
        path.write_bytes(jpeg(i))
    pairs = parity.compare(
        captioner, Captioner.from_model(model), [str(p) for p in paths]
    )
    assert [pair.photo for pair in pairs] == [str(path) for path in paths]
    assert all(pair.agrees() for pair in pairs)
    assert parity.in_words(pairs).startswith("3 of 3 captions are the same; ")
