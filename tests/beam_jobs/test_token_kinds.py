"""Records of pieces and of characters: builds, and all that comes after them."""

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from small_data import (
    SPLIT_OF,
    SmallData,
    build,
    caption_lines,
    contents,
    counting,
)

from beam_jobs import build_records
from records.errors import UserError
from records.format.record_set import RecordSet
from records.text.tokenizer import Tokenizer
from records.verification.verifier import verify
from tfcap.cli import main
from tfcap.datasets.synthetic import write_data_set

TOKENIZERS = {
    "word": {"kind": "word", "min_count": 1},
    "wordpiece": {"kind": "wordpiece", "vocabulary_size": 48, "min_count": 1},
    "char": {"kind": "char", "min_count": 1},
}
SMALLER = ("wordpiece", "char")


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> SmallData:
    return SmallData(tmp_path_factory.mktemp("small") / "data")


@pytest.fixture(scope="module")
def built(small, tmp_path_factory) -> dict[str, RecordSet]:
    """Record sets of the same data, by kind of token."""
    folder = tmp_path_factory.mktemp("built")
    for kind, tokenizer in TOKENIZERS.items():
        build(small.job(folder / kind, tokenizer=tokenizer))
    return {kind: RecordSet.open(str(folder / kind)) for kind in TOKENIZERS}


def captions(records: RecordSet) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Caption as in the source -> its ids."""
    return {
        text: ids
        for split in filter(records.manifest.photos, records.manifest.shards)
        for record in records.records(split)
        for text, ids in zip(record.captions, record.ids, strict=True)
    }


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_manifest_says_which_tokens_these_are(built, kind):
    records = built[kind]
    settings = {"oov": "unk", **TOKENIZERS[kind]}
    assert TOKENIZERS[kind].items() <= records.manifest.tokenizer.model_dump().items()
    assert settings.items() <= records.manifest.configuration["tokenizer"].items()
    assert verify(records.directory).problems == ()


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_ids_give_the_caption_where_nothing_is_unknown(built, kind):
    records = built[kind]
    texts = Tokenizer(records.manifest.tokenizer).texts(records.vocabulary)
    held = captions(records)
    assert len(held) == 50
    for caption, ids in held.items():
        expected = caption.lower().removesuffix(" .")
        if kind == "word":  # a word that is no training caption's
            known = set(records.vocabulary.tokens)
            words = [word if word in known else "<unk>" for word in expected.split()]
            expected = " ".join(words)
        elif kind == "char":
            for letter in "hij":  # those of the photos outside the training list
                expected = expected.replace(letter, "<unk>")
        else:
            for letter in "hij":
                expected = expected.replace(2 * letter, "<unk>")
        assert "".join(texts[i] for i in ids).strip() == expected


def test_characters_are_learnt_on_the_training_list_alone(built):
    # Five captions each of h.jpg, i.jpg and j.jpg have that letter twice.
    tokens = {token.removeprefix("##") for token in built["char"].vocabulary.tokens}
    assert {"a", "f", "g", "x"} <= tokens and tokens.isdisjoint("hij")
    assert built["char"].manifest.statistics.out_of_vocabulary == 2 * 15


def test_pieces_are_learnt_on_the_training_list_alone(built):
    tokens = built["wordpiece"].vocabulary.tokens
    assert len(tokens) <= 48
    # "gg" is a word of the dev list alone, but "dog" has a g.
    assert "aa" in tokens and "gg" not in tokens
    assert {"g", "##g"} < set(tokens) and set("hij").isdisjoint("".join(tokens[4:]))
    assert built["wordpiece"].manifest.statistics.out_of_vocabulary == 15


@pytest.mark.parametrize("kind", SMALLER)
def test_statistics_are_of_pieces_and_characters(built, kind):
    numbers, held = built[kind].manifest.statistics, captions(built[kind])
    lengths = Counter(len(ids) for ids in held.values())
    assert numbers.caption_lengths == lengths
    assert numbers.tokens == sum(len(ids) - 2 for ids in held.values())
    assert built[kind].manifest.longest_caption == max(lengths)
    assert max(lengths) > built["word"].manifest.longest_caption


@pytest.mark.parametrize("kind", SMALLER)
def test_the_order_of_lines_and_the_runner_change_no_byte(
    small, built, kind, tmp_path_factory, tmp_path
):
    lines = small.captions.read_bytes().splitlines()
    shuffled = tmp_path / "Flickr8k.token.txt"
    small.write_lines(shuffled, random.Random(1).sample(lines, len(lines)))
    job = small.job(tmp_path / "out", tokenizer=TOKENIZERS[kind])
    job = replace(job, source=replace(job.source, captions=(str(shuffled),)))
    build(job, "--direct_running_mode=multi_threading", "--direct_num_workers=2")
    expected = contents(built[kind].directory, "dataset.json")
    assert contents(tmp_path / "out", "dataset.json") == expected


@pytest.mark.parametrize("kind", SMALLER)
def test_records_of_words_lend_their_features(small, built, kind, tmp_path):
    job = small.job(tmp_path / "out", tokenizer=TOKENIZERS[kind])
    encoder = counting()
    build(replace(job, reuse=built["word"].directory), encoder_for=encoder)
    assert encoder.photos == 0
    assert contents(tmp_path / "out") == contents(built[kind].directory)


def test_a_caption_without_a_word_is_rejected(data, tmp_path):
    data.append(data.captions, ["a.jpg#5\t! ? .", "a.jpg#6\t7 !"])
    build(data.job(tmp_path / "out", tokenizer=TOKENIZERS["char"]))
    numbers = RecordSet.open(str(tmp_path / "out")).manifest.statistics
    assert numbers.rejected_captions == {"no_word_left": 1}  # 7 can be spelt
    assert numbers.captions_in == 10 * len(caption_lines("a.jpg")) + 2


CONFIG = """
encoder: {name: mobilenet, weights: random, input_size: 32, layer: conv1}
model: {image_units: 8, lstm_units: 8, embedding_units: 4}
training: {epochs: 1, global_batch: 8, strategy: cpu}
"""
ALONE = """
import json, sys
for name in ("keras", "tensorflow_text", "tfcap", "records"):
    sys.modules[name] = None
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
photos = tf.stack([tf.io.read_file(path) for path in sys.argv[2:]])
found = model.signatures["serving_default"](image_bytes=photos)
print(json.dumps([text.decode() for text in found["caption"].numpy()]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "expansion"), [("wordpiece", "prefix"), ("char", "causal")]
)
def test_from_photos_to_captions(kind, expansion, tmp_path, capsys):
    write_data_set(tmp_path / "data", {"train": 24, "dev": 8, "test": 8}, 64, 0)
    (tmp_path / "small.yaml").write_text(CONFIG)
    settings = [f"--set=tokenizer.kind={kind}", f"--set=training.expansion={expansion}"]
    if kind == "wordpiece":
        settings.append("--set=tokenizer.vocabulary_size=80")
    config = f"--config={tmp_path / 'small.yaml'}"
    records, run = f"--records={tmp_path / 'records'}", f"--workdir={tmp_path / 'run'}"
    text = tmp_path / "data" / "text"
    files = [
        f"--photos={tmp_path / 'data' / 'images'}",
        f"--captions={text / 'Flickr8k.token.txt'}",
        f"--splits={text}",
        f"--output={tmp_path / 'records'}",
    ]
    assert build_records.main([config, *files, *settings]) == 0
    assert main.main(["train", config, records, run, *settings]) == 0
    capsys.readouterr()
    options = ["--split=test", "--no_java", "--json"]
    assert main.main(["evaluate", run, records, *options]) == 0
    found = json.loads(capsys.readouterr().out)
    longest = RecordSet.open(str(tmp_path / "records")).manifest
    assert found["settings"]["max_length"] == longest.longest_training_caption
    assert found["settings"]["tokenizer"]["kind"] == kind
    assert main.main(["export", run, f"--output={tmp_path / 'export'}"]) == 0
    results = json.loads((tmp_path / "run/evaluation/test/results.json").read_text())
    references = json.loads(
        (tmp_path / "run/evaluation/test/references.json").read_text()
    )
    names = [image["file_name"] for image in references["images"]]
    assert captions_alone(tmp_path, names) == [row["caption"] for row in results]


def captions_alone(folder: Path, names: list[str]) -> list[str]:
    """Captions by the export, in a process that has TensorFlow alone."""
    paths = [str(folder / "data" / "images" / name) for name in names]
    ran = subprocess.run(
        [sys.executable, "-c", ALONE, str(folder / "export" / "1"), *paths],
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


CHINESE = ["一只狗在草地上跑。", "两个男人，在海边", "一个女孩在吃苹果", "白色的马"]


@pytest.fixture
def chinese(tmp_path) -> SmallData:
    data = SmallData(tmp_path / "data")
    names = [name for names in SPLIT_OF.values() for name in names]
    data.write_lines(
        data.captions,
        [f"{n}.jpg#{i}\t{text}" for n in names for i, text in enumerate(CHINESE)],
    )
    return data


def test_words_of_a_script_without_spaces_are_refused(chinese, tmp_path):
    message = "100% of the training captions' words are in a script without spaces"
    with pytest.raises(UserError, match=f"{message}.*tokenizer.kind=char, or"):
        build(chinese.job(tmp_path / "out"))


@pytest.mark.parametrize("kind", SMALLER)
def test_other_tokens_of_a_script_without_spaces(chinese, tmp_path, kind):
    tokenizer = {"kind": kind, "min_count": 1}
    build(chinese.job(tmp_path / "out", tokenizer=tokenizer))
    records = RecordSet.open(str(tmp_path / "out"))
    texts = Tokenizer(records.manifest.tokenizer).texts(records.vocabulary)
    found = {
        "".join(texts[i] for i in ids).strip() for ids in captions(records).values()
    }
    # The comma separates, the full stop goes.
    assert found == {"一只狗在草地上跑", "两个男人 在海边", *CHINESE[2:]}
    assert verify(records.directory).problems == ()
