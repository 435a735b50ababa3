"""From records to a SavedModel, with a real (random) encoder in front."""

import errno
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from small_encoders import ENCODER, custom_model, jpeg
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2,
)

from records.errors import UserError
from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec
from records.storage.files import file_sizes
from tfcap.cli import main
from tfcap.config.decoding import ResolvedDecoding
from tfcap.config.loading import parse_config
from tfcap.decoding import detokenize, search
from tfcap.encoders import load_encoder
from tfcap.encoders.encoder import loaded
from tfcap.export import (
    PhotoCaptioner,
    encoder_of_records,
    export,
    model_card,
    parity,
    photo_captioner,
    shared_weights,
    warmup,
)
from tfcap.export.parity import live_captions
from tfcap.export.shared_weights import SharedWeights
from tfcap.inference.captioner import Captioner
from tfcap.models.merge import MergeCaptioner
from tfcap.runs.workdir import Workdir
from tfcap.training.trainer import Trainer

DECODING = ResolvedDecoding(beam_width=3, max_length=8)


def begin(folder: Path, write, encoder_settings: dict) -> tuple[RecordSet, Workdir]:
    """Records that claim an encoder, and a work directory for them."""
    config = parse_config(
        {
            "encoder": encoder_settings,
            "model": {"image_units": 8, "lstm_units": 8, "embedding_units": 4},
            "training": {"epochs": 1, "global_batch": 4, "strategy": "cpu"},
        },
        "test",
    )
    encoder = load_encoder(config.encoder)
    spec = FeatureSpec(shape=encoder.shape, dtype="float16")
    records = write(folder / "records", None, spec, config, encoder.info)
    path = str(folder / "run")
    return records, Workdir(path, config, records.manifest, records.vocabulary)


@pytest.fixture
def start(write_records, tmp_path):
    return lambda settings: begin(tmp_path, write_records, settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, write_records) -> Workdir:
    """A work directory after one epoch."""
    folder = tmp_path_factory.mktemp("trained")
    records, workdir = begin(folder, write_records, ENCODER)
    Trainer(workdir.config, records, workdir.path).run()
    return Workdir.open(workdir.path)


@pytest.fixture(scope="module")
def captioner(trained) -> PhotoCaptioner:
    return photo_captioner([trained], DECODING)


@pytest.fixture(scope="module")
def saved(trained, captioner, tmp_path_factory) -> Path:
    """The captioner's export, with its card."""
    card = model_card.describe([trained], DECODING, licence="only for this test")
    return Path(export(captioner, str(tmp_path_factory.mktemp("out")), card=card))


@pytest.fixture(scope="module")
def model(saved):
    return tf.saved_model.load(str(saved))


def test_the_export_says_what_the_model_says(trained, saved):
    photos = [jpeg(seed) for seed in range(5)]
    captioned = Captioner.load(str(saved)).caption(photos)

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
    exported = Captioner.load(path).caption(photos)
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


def test_another_encoder_is_refused(start):
    _, workdir = start(ENCODER)
    other = workdir.config.encoder.model_copy(update={"seed": 7})
    workdir.config = workdir.config.model_copy(update={"encoder": other})
    with pytest.raises(UserError, match=r"not the one .*theirs with --encoder_weights"):
        encoder_of_records(workdir, {})
    with pytest.raises(UserError, match=r"^--encoder_model: .*with --encoder_weights$"):
        encoder_of_records(workdir, {"model": "own.keras"})


def test_a_model_that_was_moved_is_found_where_it_is_said_to_be(start, tmp_path):
    _, workdir = start(custom_model(tmp_path, pooling="flatten"))
    loaded.cache_clear()
    moved = str((tmp_path / "own.keras").rename(tmp_path / "moved.keras"))
    with pytest.raises(UserError, match=r"nothing at .*own.keras; .*--encoder_model P"):
        encoder_of_records(workdir, {})
    with pytest.raises(UserError, match=r"^--encoder_weights: .*with --encoder_model$"):
        encoder_of_records(workdir, {"weights": moved})
    found = encoder_of_records(workdir, {"model": moved})
    assert (found.info.name, found.shape) == ("moved.keras", (8 * 8 * 6,))


def test_another_model_at_the_same_place_is_refused(start, tmp_path):
    _, workdir = start(custom_model(tmp_path))
    loaded.cache_clear()
    custom_model(tmp_path)  # other weights are drawn
    with pytest.raises(UserError, match=r"own.keras is not the one .*_model$"):
        encoder_of_records(workdir, {})


def test_an_export_is_not_replaced_unasked(captioner, saved, tmp_path):
    before = file_sizes(str(saved), nested=True)
    with pytest.raises(UserError, match="exists; add --overwrite"):
        export(captioner, str(saved.parent))
    assert file_sizes(str(saved), nested=True) == before
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "leftover").touch()
    path = Path(export(captioner, str(tmp_path), overwrite=True))
    assert (path / "saved_model.pb").exists() and not (path / "leftover").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize("failing", ["save", "warmup.write", "write_text"])
def test_a_failed_export_leaves_what_was_there(
    captioner, tmp_path, monkeypatch, failing
):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "earlier").touch()
    monkeypatch.setattr(f"tfcap.export.saved_model.{failing}", full)
    for overwrite, folder in ((True, tmp_path), (False, tmp_path / "new")):
        with pytest.raises(UserError, match=r"^cannot write .*/1: .*No space left"):
            export(captioner, str(folder), overwrite)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["earlier"]
    monkeypatch.undo()
    assert Path(export(captioner, str(tmp_path / "new")), "saved_model.pb").exists()


def test_the_command_says_at_once_that_its_output_exists(tmp_path, capsys):
    (tmp_path / "1").mkdir()
    flags = ["--workdir", str(tmp_path / "nowhere"), "--output", str(tmp_path)]
    assert main.main(["export", *flags]) == 1
    assert f"{tmp_path}/1 exists; add --overwrite" in capsys.readouterr().err


def test_a_single_photo_is_a_batch_too(trained):
    captioner = photo_captioner([trained], ResolvedDecoding(beam_width=1, max_length=8))
    assert isinstance(captioner, PhotoCaptioner)
    assert isinstance(captioner.model, MergeCaptioner)
    found = captioner.signatures()["serving_default"](tf.constant([jpeg(1)]))
    assert found["caption"].shape == found["score"].shape == [1]


@pytest.fixture(scope="module")
def wide_photos() -> list[bytes]:
    return [jpeg(0), b"", jpeg(1), b"no photo", jpeg(2)[:200], jpeg(3)]


def test_a_bad_photo_loses_no_other(model, wide_photos):
    signatures = model.signatures
    good = [photo for i, photo in enumerate(wide_photos) if i in (0, 2, 5)]
    for name in ("serving_default", "beams", "explain"):
        alone = signatures[name](image_bytes=tf.constant(good))
        found = signatures[name](image_bytes=tf.constant(wide_photos))
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


def test_half_weights_move_scores_but_little(trained, captioner, monkeypatch):
    monkeypatch.setattr(shared_weights, "LARGE", 8)  # this model is small
    photos = tf.constant([jpeg(seed) for seed in range(3)])
    scores = captioner.serve(photos)["score"].numpy()
    half = photo_captioner([trained], DECODING, half=True)
    close = half.serve(photos)["score"].numpy()
    assert not (close == scores).all()
    np.testing.assert_allclose(close, scores, atol=0.01)


def matrix_times(weights: tf.Variable):
    """A graph of products: one to fold, others in a loop in a loop behind a loop."""

    def thrice(run):
        return lambda x: tf.while_loop(
            lambda i, _: i < 3, lambda i, x: (i + 1, run(x)), (0, x)
        )[1]

    def products(x):
        looped = thrice(thrice(lambda x: x @ weights))(thrice(tf.sin)(x))
        return x @ (2.0 * weights), looped

    traced = tf.function(products, autograph=False)
    spec = tf.TensorSpec([None, 64], tf.float32)
    return convert_variables_to_constants_v2(traced.get_concrete_function(spec))


@pytest.mark.parametrize("half", [False, True])
def test_graphs_share_weights(half):
    values = np.linspace(-0.1, 0.1, 64 * 64, dtype=np.float32).reshape(64, 64)
    weights = SharedWeights(half)
    before = [tf.Variable(values) for _ in range(2)]
    functions = [weights.share(matrix_times(one)) for one in before]
    kept = {np.max(value): value for value in weights.variables}
    assert {value.dtype for value in kept.values()} == {
        tf.float16 if half else tf.float32
    }
    once, twice = (tf.cast(kept[name], tf.float32) for name in sorted(kept))
    np.testing.assert_allclose(once, values, rtol=1e-3)
    np.testing.assert_allclose(twice, 2 * values, rtol=1e-3)  # folded
    given = tf.random.stateless_normal([3, 64], [0, 0])
    expected = tf.sin(tf.sin(tf.sin(given)))
    for _ in range(9):
        expected = expected @ once
    for function in functions:
        folded, looped = function(given)
        np.testing.assert_allclose(folded, given @ twice, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(looped, expected, rtol=1e-3, atol=1e-4)


def test_weights_are_no_part_of_the_graph(trained, tmp_path, monkeypatch):
    """Every function and every run of a signature would hold a copy of its own."""
    monkeypatch.setattr(shared_weights, "LARGE", 100)  # this model is small
    captioner = photo_captioner([trained], DECODING)
    nodes = nodes_of(export(captioner, str(tmp_path)))
    assert not [n for n in nodes if n.op == "Const" and numbers_in(n) >= 100]
    assert len(captioner.weights.variables) > 2


def nodes_of(path: str) -> list:
    """Of an export's graph and functions."""
    content = Path(path, "saved_model.pb").read_bytes()
    graph = SavedModel.FromString(content).meta_graphs[0].graph_def
    return [*graph.node, *(n for f in graph.library.function for n in f.node_def)]


def numbers_in(node) -> int:
    """Of a constant that is no text."""
    tensor = node.attr["value"].tensor
    if tensor.dtype == tf.string.as_datatype_enum:
        return 0
    return tf.TensorShape(tensor.tensor_shape).num_elements()


def test_what_lies_beside_the_graph(trained, saved):
    vocabulary = (saved / "assets" / "vocabulary.txt").read_text("utf-8")
    assert vocabulary.splitlines() == list(trained.vocabulary.tokens)
    text = (saved / "model_card.md").read_text("utf-8")
    for expected in ("only for this test", "| train | 21 | 42 |", "beam_width 3"):
        assert expected in text
    assert "`tfcap evaluate` had not been run" in text
    requests = saved / "assets.extra" / "tf_serving_warmup_requests"
    held = [r.numpy() for r in tf.data.TFRecordDataset(str(requests))]
    assert len(held) == 6
    assert (saved / "assets.extra" / "tfcap.json").read_text() == '{"format": 1}\n'


def test_scores_on_the_model_card():
    settings = {"photos": 7, "references": 14, "beam_width": 3, "length_exponent": 1.0}
    settings |= {"seeds": [0], "checkpoints": ["epoch 1"], "scorer": "a scorer"}
    found = {"scores": {"cider": 0.5}, "shuffled_photos": {"cider": 0.125}}
    text = model_card.table("dev", {**found, "settings": settings})
    assert "| cider | 50.0 | 12.5 |" in text and "7 photos with 14 ref" in text


@pytest.mark.parametrize("content", ["{", "[]", '{"settings": {"photos": 7}}'])
def test_scores_that_cannot_be_read_are_named(trained, content):
    path = Path(trained.folder("evaluation", "dev", "scores.json"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    try:
        with pytest.raises(UserError, match=r"scores\.json is not .*run that again"):
            model_card.describe([trained], DECODING)
    finally:
        path.unlink()


def test_a_warm_up_request_is_a_prediction_log():
    """Read by protobuf itself, from the fields of the published .proto files."""
    log = prediction_log_class()()
    log.ParseFromString(warmup.request("beams", 40))
    request = log.predict_log.request
    assert (request.model_spec.name, request.model_spec.signature_name) == (
        "caption",
        "beams",
    )
    tensor = TensorProto.FromString(request.inputs["image_bytes"])
    photos = tf.make_ndarray(tensor).tolist()
    assert len(photos) == 40 and not tf.io.decode_jpeg(photos[39]).numpy().any()


def prediction_log_class():
    """PredictionLog, with the tensors left as bytes."""
    file = descriptor_pb2.FileDescriptorProto(name="log.proto", syntax="proto3")
    string, bytes_, message = 9, 12, 11
    fields = {
        "ModelSpec": [("name", 1, string, ""), ("signature_name", 3, string, "")],
        "PredictRequest": [
            ("model_spec", 1, message, ".ModelSpec"),
            ("inputs", 2, message, ".PredictRequest.InputsEntry"),
        ],
        "PredictLog": [("request", 1, message, ".PredictRequest")],
        "PredictionLog": [("predict_log", 6, message, ".PredictLog")],
    }
    for name, rows in fields.items():
        kind = file.message_type.add(name=name)
        for field, number, type_, of in rows:
            of_type = {"type_name": of} if of else {}
            kind.field.add(name=field, number=number, type=type_, label=1, **of_type)
    request = file.message_type[1]
    request.field[1].label = 3
    entry = request.nested_type.add(name="InputsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=string, label=1)
    entry.field.add(name="value", number=2, type=bytes_, label=1)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName("PredictionLog")
    return message_factory.GetMessageClass(found)


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
    pairs = parity.compare(captioner, Captioner(model), [str(p) for p in paths])
    assert [pair.photo for pair in pairs] == [str(path) for path in paths]
    assert all(pair.agrees() for pair in pairs)
    assert parity.in_words(pairs).startswith("3 of 3 captions are the same; ")
