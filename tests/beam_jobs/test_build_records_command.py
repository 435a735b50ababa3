"""The command: flags, refusals, summary. The encoder is a MobileNet of 32 pixels."""

import json

import pytest
from small_data import SPLIT_OF

from beam_jobs import build_records
from records.errors import UserError
from records.format.record_set import RecordSet

CONFIG = """
encoder: {name: mobilenet, weights: random, input_size: 32}
tokenizer: {min_count: 1}
records: {photos_per_shard: 4}
"""


@pytest.fixture
def flags(data, tmp_path) -> list[str]:
    (tmp_path / "small.yaml").write_text(CONFIG)
    return data.flags(tmp_path / "out", tmp_path / "small.yaml")


def test_the_command_writes_records_and_a_summary(flags, tmp_path, capsys):
    assert build_records.main([*flags, "--direct_num_workers=1"]) == 0
    manifest = RecordSet.open(str(tmp_path / "out")).manifest
    assert (manifest.encoder.name, manifest.features.shape) == ("mobilenet", (1024,))
    shown = capsys.readouterr().out
    assert "in = written + rejected" in shown
    assert "10 photos encoded by mobilenet" in shown


def test_records_are_replaced_only_when_asked_to(flags, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "dataset.json").write_text("an older build")
    with pytest.raises(UserError, match=r"already holds .* add --overwrite"):
        build_records.main(flags)
    assert (output / "dataset.json").read_text() == "an older build"
    build_records.main([*flags, "--overwrite"])
    assert RecordSet.open(str(output)).manifest.photos("train") == 6


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("--photos=/nowhere", "--photos: no directory /nowhere"),
        ("--captions=/nowhere", "--captions: no file /nowhere"),
        ("--splits=/nowhere", r"--splits: no file Flickr_8k.trainImages.txt in /nowhe"),
        ("--config=/nowhere", "cannot read /nowhere"),
        ("--set=records.photos_per_shart=4", "did you mean 'photos_per_shard'"),
    ],
)
def test_what_is_not_there_is_named_before_any_work(flags, tmp_path, wrong, message):
    others = [flag for flag in flags if flag.split("=")[0] != wrong.split("=")[0]]
    with pytest.raises(UserError, match=message):
        build_records.main([*others, wrong])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("--runer=DirectRunner", "did you mean --runner?"),
        ("--photo=x", "did you mean --photos?"),
        ("--min_count=9", "option --min_count; did you mean --set tokenizer.min_coun"),
        ("--max_reject_fraction=2", "expected 0 to 1; received 2"),
        ("--captions=b.txt", "flickr8k needs one --captions FILE"),
        ("--source=coco", "coco needs --captions SPLIT=FILE once or more"),
    ],
)
def test_a_wrong_flag_exits_with_2(flags, tmp_path, capsys, wrong, message):
    with pytest.raises(SystemExit) as exit_:
        build_records.main([*flags, wrong])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_runner_that_cannot_do_it_is_refused(flags, capsys):
    with pytest.raises(SystemExit) as ended:
        build_records.main([*flags, "--runner=DaskRunner"])
    assert ended.value.code == 2
    assert "DaskRunner reports success and writes nothing" in capsys.readouterr().err


def test_another_source(flags, data, tmp_path):
    lines = [
        {"photo": f"{letter}.jpg", "captions": [f"A dog {letter} ."], "split": split}
        for split, letters in SPLIT_OF.items()
        for letter in letters
    ]
    own = tmp_path / "own.jsonl"
    own.write_text("".join(json.dumps(line) + "\n" for line in lines))
    others = [f for f in flags if not f.startswith(("--captions", "--splits"))]
    build_records.main([*others, "--source=jsonl", f"--captions={own}"])
    manifest = RecordSet.open(str(tmp_path / "out")).manifest
    assert [manifest.photos(split) for split in SPLIT_OF] == [6, 2, 2]
    assert manifest.sources["captions"] == str(own)
