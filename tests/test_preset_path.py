"""Every stage with a preset of KerasHub: records, three models, export and server."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="needs the extra hub: pip install keras-hub")

import keras_hub
from starlette.testclient import TestClient

from beam_jobs import build_records
from records.__main__ import main as records_command
from records.format.record_set import RecordSet
from tfcap import Captioner, serving
from tfcap.cli.main import main as tfcap
from tfcap.config.encoder import PresetConfig
from tfcap.config.serving import ServingConfig
from tfcap.datasets.synthetic import write_data_set
from tfcap.encoders import load_encoder
from tfcap.encoders.encoder import loaded

sys.path.insert(0, str(Path(__file__).parent / "tfcap" / "encoders"))
import small_presets as presets

CONFIG = """
encoder: {{preset: {preset}, pooling: {pooling}}}
tokenizer: {{min_count: 1}}
records: {{photos_per_shard: 8, encoder_batch: 4}}
model: {{name: {model}}}
training: {{epochs: 1, global_batch: 8, expansion: {expansion}}}
decoding: {{beam_width: 2, max_length: 8}}
"""
MODELS = {"merge": "prefix", "attention": "causal", "transformer": "causal"}


def configuration(folder: Path, pooling: str, model: str) -> str:
    """Writes a configuration; returns its path."""
    path = folder / f"{pooling}_{model}.yaml"
    text = CONFIG.format(
        preset=folder / "clip", pooling=pooling, model=model, expansion=MODELS[model]
    )
    path.write_text(text)
    return str(path)


def build(folder: Path, pooling: str) -> str:
    """Builds records of drawings; returns their directory."""
    config = configuration(folder, pooling, "merge")
    text, images = folder / "drawings" / "text", folder / "drawings" / "images"
    arguments = [f"--photos={images}", f"--captions={text / 'Flickr8k.token.txt'}"]
    output = str(folder / f"records_{pooling}")
    arguments += [f"--splits={text}", f"--config={config}", f"--output={output}"]
    assert not build_records.main(arguments)
    return output


@pytest.mark.slow
def test_a_preset_in_every_stage(tmp_path, capsys):
    presets.save(tmp_path / "clip")
    write_data_set(tmp_path / "drawings", {"train": 16, "dev": 8, "test": 8}, 64, 0)
    grid, vectors = build(tmp_path, "grid"), build(tmp_path, "embedding")
    assert RecordSet.open(grid).manifest.features.shape == (2, 2, 8)
    assert RecordSet.open(vectors).manifest.features.shape == (6,)
    for records in (grid, vectors):
        assert not records_command(["verify", records, "--sample", "8"])

    runs = {}
    for model in MODELS:
        pooling, records = (
            ("grid", grid) if model != "merge" else ("embedding", vectors)
        )
        runs[model] = ["--workdir", str(tmp_path / f"run_{model}")]
        config = configuration(tmp_path, pooling, model)
        arguments = ["--config", config, "--records", records, *runs[model]]
        assert not tfcap(["train", *arguments])
        scored = [*runs[model], "--records", records, "--split", "dev", "--json"]
        capsys.readouterr()
        assert not tfcap(["evaluate", *scored, "--no_java"])
        scores = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert scores["settings"]["photos"] == 8

    # The preset has moved since the records were built.
    (tmp_path / "clip").rename(tmp_path / "moved")
    loaded.cache_clear()
    export = str(tmp_path / "export")
    arguments = [*runs["attention"], "--output", export]
    assert tfcap(["export", *arguments]) == 1
    assert "--encoder_preset DIR" in capsys.readouterr().err
    moved = ["--encoder_preset", str(tmp_path / "moved")]
    assert not tfcap(["export", *arguments, *moved])
    sample = ["verify", grid, "--sample", "4", *moved]
    assert not records_command(sample)

    captioner = Captioner(export)
    photo = next((tmp_path / "drawings" / "images").iterdir())
    (expected,) = captioner.caption([photo.read_bytes()])
    app = serving.create_app(captioner, ServingConfig(), None)
    with TestClient(app) as client:
        answer = client.post("/caption", files={"photo": photo.read_bytes()})
    assert answer.status_code == 200
    assert answer.json()["captions"][0]["caption"] == expected.caption


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CLIP", "DINOV2"])
def test_features_of_full_size(tmp_path, monkeypatch, name):
    """The vision encoders of ViT-B/32 and ViT-S/14, with random weights."""
    large = {"num_layers": 12, "image_shape": (224, 224, 3)}
    clip = {**large, "patch_size": 32, "hidden_dim": 768, "num_heads": 12}
    dino = {**large, "patch_size": 14, "hidden_dim": 384, "num_heads": 6}
    backbones = {
        "CLIP": lambda: keras_hub.models.CLIPBackbone(
            keras_hub.models.CLIPVisionEncoder(**clip, intermediate_dim=3072),
            keras_hub.models.CLIPTextEncoder(**presets.TEXT),
            projection_dim=512,
        ),
        "DINOV2": lambda: keras_hub.models.DINOV2Backbone(
            **dino, intermediate_dim=1536, position_embedding_shape=(518, 518, 3)
        ),
    }
    monkeypatch.setitem(presets.BACKBONES, name, backbones[name])
    backbone, converter = presets.save(tmp_path / name, name, size=224)
    photos = [presets.odd_photo(seed) for seed in range(20)]
    config = PresetConfig(preset=str(tmp_path / name), pooling="grid")
    encoder = load_encoder(config)
    features, bad = encoder.encode(photos)
    pixels = presets.pixels_of(converter, photos)
    vision = getattr(backbone, "vision_encoder", backbone)
    tokens = np.asarray(vision.predict(pixels, batch_size=20, verbose=0))
    expected = tokens[:, 1:].reshape(features.shape)
    assert not bad and features.shape[0] == 20
    np.testing.assert_allclose(features, expected, 1e-4, 1e-4 * np.abs(expected).max())
