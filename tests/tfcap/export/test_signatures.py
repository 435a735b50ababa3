"""The signatures of an export, with a real (random) encoder in front."""

import numpy as np
import pytest
import tensorflow as tf
from graphs import nodes_of
from small_encoders import DECODING, ENCODER, jpeg

from records.errors import UserError
from tfcap.config.decoding import ResolvedDecoding
from tfcap.decoding.output import detokenize
from tfcap.decoding.searching import search
from tfcap.encoders import load_encoder
from tfcap.export.builder import photo_captioner
from tfcap.export.parity import live_captions
from tfcap.export.saved_model import export
from tfcap.export.signatures import PhotoCaptioner
from tfcap.inference.captioner import Captioner
from tfcap.models.merge import MergeCaptioner
from tfcap.runs.workdir import Workdir
from tfcap.training.trainer import Trainer


def test_the_export_says_what_the_model_says(trained, saved):
    photos = [jpeg(seed) for seed in range(5)]
    captioned = Captioner(str(saved)).caption(photos)

    model, _ = trained.restore_best()
    features, _ = load_encoder(trained.config.encoder).encode(photos)
    stored = features.astype(np.float16)  # as the records hold them
    found = search(
        model,
        tf.constant(stored),
        DECODING,
        trained.vocabulary,
        trained.manifest.tokenizer,
    )
    expected = detokenize(
        found.tokens[:, 0], trained.vocabulary, trained.manifest.tokenizer
    ).numpy()
    assert [row.caption for row in captioned] == [text.decode() for text in expected]
    scores = [row.score for row in captioned]
    np.testing.assert_allclose(scores, found.mean_log_probability()[:, 0], rtol=1e-5)


def test_consensus_is_exported_with_what_it_compares_by(start, tmp_path):
    records, workdir = start(ENCODER)
    Trainer(workdir.config, records, workdir.path).run()
    trained, photos = Workdir.open(workdir.path), [jpeg(seed) for seed in range(3)]
    consensus = {"regression": {}}
    decoding = ResolvedDecoding(beam_width=4, max_length=8, consensus=consensus)
    with pytest.raises(UserError, match=r"consensus compares .* say with --records"):
        photo_captioner([trained], decoding)
    captioner = photo_captioner([trained], decoding, records=records.directory)
    path = export(captioner, str(tmp_path / "out"))
    exported = Captioner(path).caption(photos)
    live = live_captions(captioner, photos)
    assert [e.caption for e in exported] == [one.caption for one in live]
    kept = [variable.numpy() for variable in captioner.weights.variables]
    tables = [t.numpy() for t in tf.nest.flatten(captioner.mbr_scorer, True)]
    assert len(tables) > 20
    for table in tables:
        assert sum(np.array_equal(table, one) for one in kept) == 1
    constants = [
        tf.make_ndarray(node.attr["value"].tensor)
        for node in nodes_of(path)
        if node.op == "Const"
    ]
    for table in tables:
        same = [one for one in constants if np.array_equal(one, table)]
        assert not same or table.size < 10


def test_a_single_photo_is_a_batch_too(trained):
    captioner = photo_captioner([trained], ResolvedDecoding(beam_width=1, max_length=8))
    assert isinstance(captioner, PhotoCaptioner)
    assert isinstance(captioner.model, MergeCaptioner)
    found = captioner.signatures()["serving_default"](tf.constant([jpeg(1)]))
    assert found["caption"].shape == found["score"].shape == [1]


def test_a_bad_photo_loses_no_other(model):
    photos = [jpeg(0), b"", jpeg(1), b"no photo", jpeg(2)[:200], jpeg(3)]
    signatures = model.signatures
    good = [photo for i, photo in enumerate(photos) if i in (0, 2, 5)]
    for name in ("serving_default", "beams", "explain"):
        alone = signatures[name](image_bytes=tf.constant(good))
        found = signatures[name](image_bytes=tf.constant(photos))
        assert [bool(error) for error in found["error"].numpy()] == [0, 1, 0, 1, 1, 0]
        for output, values in alone.items():
            picked = tf.gather(found[output], [0, 2, 5])
            if values.dtype == tf.string:
                np.testing.assert_array_equal(picked, values)
            else:
                np.testing.assert_allclose(picked, values, rtol=1e-4, atol=1e-6)
                assert not tf.gather(found[output], [1, 3, 4]).numpy().any()


def test_beams_features_and_words_are_of_one_search(model, trained):
    signatures = model.signatures
    photos = tf.constant([jpeg(seed) for seed in range(3)])
    best = signatures["serving_default"](image_bytes=photos)
    beams = signatures["beams"](image_bytes=photos)
    assert beams["captions"].shape == beams["scores"].shape == [3, 3]
    np.testing.assert_array_equal(beams["captions"][:, 0], best["caption"])
    vectors, _ = load_encoder(trained.config.encoder).encode(photos.numpy().tolist())
    told = signatures["features"](features=tf.constant(vectors))
    np.testing.assert_array_equal(told["caption"], best["caption"])
    np.testing.assert_allclose(told["score"], best["score"], rtol=1e-4)

    words = signatures["explain"](image_bytes=photos)
    for i, probabilities in enumerate(words["probabilities"].numpy()):
        real = words["words"][i].numpy() != b""
        spoken = words["words"][i].numpy()[real]
        assert spoken[-1] == b"." and not probabilities[~real].any()
        assert b" ".join(spoken[:-1]) == best["caption"][i].numpy()
        mean = np.log(probabilities[real]).mean()
        np.testing.assert_allclose(mean, best["score"][i], rtol=1e-3)
