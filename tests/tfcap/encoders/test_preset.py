"""Encoders from presets of KerasHub give the features that KerasHub computes."""

import json

import numpy as np
import pytest

pytest.importorskip("keras_hub", reason="needs the extra hub: pip install keras-hub")

import keras_hub
import own_models
import small_presets as presets

from records.errors import UserError
from records.format.manifest import EncoderInfo
from tfcap.config.encoder import PresetConfig
from tfcap.config.loading import parse_config
from tfcap.encoders import Encoder, load_encoder
from tfcap.encoders.from_manifest import load_recorded
from tfcap.encoders.preset import load

PHOTOS = [presets.odd_photo(seed) for seed in range(100)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> tuple:
    """Path, backbone and image converter of a small CLIP."""
    folder = tmp_path_factory.mktemp("presets") / "clip"
    return str(folder), *presets.save(folder)


def assert_equal(encoder: Encoder, expected: np.ndarray, photos: list[bytes]) -> None:
    features, bad = encoder.encode(photos)
    assert not bad and features.shape == expected.shape
    np.testing.assert_allclose(features, expected, 1e-4, 1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("pooling", ["embedding", "grid", "avg"])
def test_features_of_clip(clip, pooling):
    path, backbone, converter = clip
    encoder = load_encoder(PresetConfig(preset=path, pooling=pooling))
    expected = presets.expected(backbone, converter, "CLIP", pooling, PHOTOS)
    assert_equal(encoder, expected, PHOTOS)


@pytest.mark.parametrize(
    ("name", "pooling"),
    [
        ("MetaCLIP2", "embedding"),
        ("SigLIP", "embedding"),
        ("SigLIP", "grid"),
        ("DINOV2", "grid"),
        ("DINOV3", "embedding"),
        ("DINOV3", "grid"),
        ("ViT", "embedding"),
        ("EfficientNet", "embedding"),
        ("EfficientNet", "grid"),
    ],
)
def test_features_of_other_backbones(tmp_path, name, pooling):
    backbone, converter = presets.save(tmp_path / name, name)
    encoder = load_encoder(PresetConfig(preset=str(tmp_path / name), pooling=pooling))
    photos = PHOTOS[:5]
    expected = presets.expected(backbone, converter, name, pooling, photos)
    assert_equal(encoder, expected, photos)


def test_a_padded_photo(tmp_path):
    changes = {"crop_to_aspect_ratio": False, "pad_to_aspect_ratio": True}
    backbone, converter = presets.save(tmp_path / "padded", **changes)
    encoder = load_encoder(PresetConfig(preset=str(tmp_path / "padded")))
    assert encoder.info.fit == "pad"

    def padded(pixels):
        return converter(np.asarray(pixels, np.float32))  # KerasHub pads no bytes

    expected = presets.expected(backbone, padded, "CLIP", "embedding", PHOTOS[:5])
    assert_equal(encoder, expected, PHOTOS[:5])


def info(path: str, **settings) -> EncoderInfo:
    return load_encoder(PresetConfig(preset=path, **settings)).info


def test_the_description_for_the_manifest(clip, tmp_path):
    path, _, _ = clip
    found = info(path)
    assert (found.kind, found.name, found.weights) == ("keras_hub", "clip", "clip")
    assert (found.input_size, found.pooling) == (32, "embedding")
    assert (found.fit, found.interpolation, found.antialias) == (
        "crop",
        "bicubic",
        True,
    )
    assert found.rounded
    presets.save(tmp_path / "copy")
    assert info(str(tmp_path / "copy")).digest == found.digest
    others = {info(path, pooling=kind).digest for kind in ("avg", "grid")}
    others.add(info(path, preprocessing="unit").digest)
    assert len(others | {found.digest}) == 4


def test_a_preset_that_moved_since_the_records_were_made(clip, tmp_path, make_records):
    gone = {"preset": str(tmp_path / "gone"), "pooling": "grid"}
    manifest = make_records(config=parse_config({"encoder": gone}, "test")).manifest
    with pytest.raises(UserError, match=r"no such directory.* \(here: --encoder_pre"):
        load_recorded(manifest, {})
    found = load_recorded(manifest, {"preset": clip[0]})
    assert found.info.digest == info(clip[0], pooling="grid").digest


def test_a_layer_of_the_vision_encoder(clip):
    path, backbone, _ = clip
    name = f"{backbone.vision_encoder.name}_encoder_block_0"
    network = load(PresetConfig(preset=path, pooling="grid", layer=name))
    assert network.model.layers[-1].name == name
    assert network.run(np.zeros([1, 32, 32, 3], np.float32)).shape == (1, 2, 2, 8)
    with pytest.raises(
        UserError, match=f"has no layer 'encoder_block_0'; near it: {name}"
    ):
        load(PresetConfig(preset=path, layer="encoder_block_0"))


def test_another_input_size(tmp_path, clip):
    presets.save(tmp_path / "dino", "DINOV2")
    config = PresetConfig(preset=str(tmp_path / "dino"), pooling="grid", input_size=64)
    network = load(config)
    assert network.size == 64
    assert network.run(np.zeros([1, 64, 64, 3], np.float32)).shape == (1, 4, 4, 8)
    with pytest.raises(
        UserError, match=r"encoder.input_size: .* 64 x 64 pixels: it takes"
    ):
        load(PresetConfig(preset=clip[0], input_size=64))


def test_preprocessing_of_the_configuration_needs_no_converter(tmp_path):
    presets.save(tmp_path / "bare")
    (tmp_path / "bare" / "image_converter.json").unlink()
    path = str(tmp_path / "bare")
    with pytest.raises(
        UserError, match=r"has no image_converter\.json.* or say it wit"
    ):
        load(PresetConfig(preset=path))
    found = info(path, preprocessing="clip")
    assert (found.fit, found.rounded) == ("crop", True)
    assert "mean [0.48145466, " in found.preprocessing


def test_what_is_no_preset_of_photos(tmp_path):
    def refused(folder: str = "clip") -> str:
        with pytest.raises(UserError) as caught:
            load(PresetConfig(preset=str(tmp_path / folder)))
        return str(caught.value)

    assert "no preset" in refused("nowhere") and "no such directory" in refused()
    (tmp_path / "empty").mkdir()
    assert "it has no config.json; write one with backbone.save_to_" in refused("empty")
    presets.save(tmp_path / "clip")
    (tmp_path / "clip" / "model.weights.h5").unlink()
    assert "clip has no weights: neither model.weights.h5 nor model.w" in refused()
    (tmp_path / "clip" / "config.json").write_text("{")
    assert "config.json is damaged" in refused()
    text = keras_hub.models.BertBackbone(20, 1, 2, 8, 8)
    text.save_to_preset(str(tmp_path / "bert"))
    assert "takes no photos; an encoder is a backbone that looks at ph" in refused(
        "bert"
    )


def test_a_name_that_is_nearly_one():
    with pytest.raises(UserError, match="near it: clip_vit_base_patch32"):
        load(PresetConfig(preset="clip_vit_base_patch_32"))


def test_weights_of_another_shape(tmp_path):
    presets.save(tmp_path / "clip")
    config = tmp_path / "clip" / "config.json"
    content = json.loads(config.read_text())
    content["config"]["projection_dim"] = 7
    config.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"encoder.preset: .*clip cannot be loaded: "):
        load(PresetConfig(preset=str(tmp_path / "clip")))


def test_a_converter_that_does_more(clip, monkeypatch):
    converter = keras_hub.layers.CLIPImageConverter
    call = converter.call
    monkeypatch.setattr(converter, "call", lambda self, x: call(self, x)[..., ::-1])
    with pytest.raises(UserError, match="CLIPImageConverter, does more than resize"):
        load(PresetConfig(preset=clip[0], pooling="flatten"))


def test_a_keras_file_with_classes_of_kerashub(clip, tmp_path):
    _, backbone, _ = clip
    path = own_models.save(tmp_path / "models", backbone.vision_encoder)
    settings = {"scaling": "none", "resize": "crop", "interpolation": "bicubic"}
    config = own_models.own(path, preprocessing=settings, pooling="flatten")
    encoder = load_encoder(config)
    assert encoder.shape == (5 * 8,)
