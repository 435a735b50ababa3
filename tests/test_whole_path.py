"""Every stage once, on drawings: photos, records, a model, its export, a caption.

`make test-oldest` and `make test-newest` run it with the oldest and the newest releases
of the libraries that pyproject.toml allows.
"""

from pathlib import Path

import pytest

from beam_jobs import build_records
from records.format.record_set import RecordSet
from records.verification.verifier import verify
from tfcap.cli.main import main as tfcap
from tfcap.datasets.synthetic import write_data_set

CONFIG = """
encoder: {name: mobilenet, weights: random, input_size: 32}
tokenizer: {min_count: 1}
records: {photos_per_shard: 8, encoder_batch: 4}
training: {epochs: 1, global_batch: 8}
decoding: {beam_width: 2, max_length: 8}
"""


@pytest.mark.slow
def test_photos_become_records_a_model_and_captions(tmp_path, capsys):
    def at(name: str) -> str:
        return str(tmp_path / name)

    Path(at("small.yaml")).write_text(CONFIG)
    write_data_set(tmp_path / "drawings", {"train": 24, "dev": 8, "test": 8}, 64, 0)
    text, images = tmp_path / "drawings" / "text", tmp_path / "drawings" / "images"
    sources = [f"--photos={images}", f"--captions={text / 'Flickr8k.token.txt'}"]
    built = [f"--config={at('small.yaml')}", *sources, f"--splits={text}"]
    assert not build_records.main([*built, f"--output={at('records')}"])

    assert not verify(at("records")).problems
    assert RecordSet.open(at("records")).manifest.photos("train") == 24

    records, workdir = ["--records", at("records")], ["--workdir", at("run")]
    assert not tfcap(["train", "--config", at("small.yaml"), *records, *workdir])
    assert not tfcap(["evaluate", *workdir, *records, "--split", "test"])
    assert not tfcap(["export", *workdir, "--output", at("export")])
    capsys.readouterr()
    photo = str(next(images.iterdir()))
    assert not tfcap(["caption", "--model", at("export"), photo])
    assert Path(photo).name in capsys.readouterr().out
