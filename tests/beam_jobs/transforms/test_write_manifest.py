"""The last step: sums, refusals, and what it leaves behind."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from small_data import contents

from beam_jobs.elements import Plan
from beam_jobs.io import output_directory
from beam_jobs.transforms.check_plan import Rejected
from beam_jobs.transforms.spill import write_blocks
from beam_jobs.transforms.write_manifest import (
    Finish,
    add_up,
    add_up_dropped,
    check_sum,
    check_sums,
)
from beam_jobs.transforms.write_shard import ShardReport
from records.errors import UserError
from records.format.manifest import DroppedWords, Manifest, ShardInfo, load_manifest
from records.format.rejects import Reject
from records.format.sharding import shard_name
from records.text.vocabulary import Vocabulary

PLAN = Plan(Vocabulary.from_counts({"a": 1}, 1, True).tokens, {"train": 2, "dev": 1}, 6)
REJECTS = [
    Reject("photo", "é.jpg", "corrupt_photo", "detail", 5),
    Reject("photo", "c.jpg", "no_caption", "detail", 0),
    Reject("caption", "f:3", "not_utf8", "detail", 1),
]


def report(
    split="train", index=0, photos=2, features=((1.0, 2.0, 3.0),) * 2
) -> ShardReport:
    name = shard_name(split, index, PLAN.shards[split])
    cells = len(features)
    return ShardReport(
        plan="",
        size=9,
        rejects=[],
        split=split,
        shard=ShardInfo(name=name, photos=photos, captions=photos, bytes=9, sha256=""),
        tokens=4,
        out_of_vocabulary=1,
        caption_lengths={5: photos},
        photo_formats={"JPEG": photos},
        distinct=[[1, 4, 2]],
        feature_sum=[sum(column) for column in zip(*features)],
        feature_squares=[sum(x * x for x in column) for column in zip(*features)],
        cells=cells,
    )


def counted(rejects) -> Rejected:
    rejected = Rejected()
    assert list(rejected.counting(rejects)) == rejects
    return rejected


INPUT_COUNT = {"photos": 8, "captions": 12, "words": 7, "words_kept": 4}
DROPPED = {"digit": DroppedWords(count=3, examples=[("2", 3)])}
REPORTS = [report("dev", features=()), report(index=1), report(index=0)]


def test_counts_add_up():
    numbers = add_up(REPORTS, counted(REJECTS), INPUT_COUNT, DROPPED, PLAN)
    assert (numbers.photos_written, numbers.captions_written) == (6, 6)
    assert numbers.rejected_photos == {"corrupt_photo": 1, "no_caption": 1}
    assert numbers.rejected_captions == {"corrupt_photo": 5, "not_utf8": 1}
    assert (numbers.tokens, numbers.out_of_vocabulary) == (12, 3)
    assert (numbers.caption_lengths, numbers.photo_formats) == ({5: 6}, {"JPEG": 6})
    check_sums(numbers)


@pytest.mark.parametrize("what", ["photos", "captions", "words", "words_kept"])
def test_a_loss_shows(what):
    with pytest.raises(RuntimeError, match=r"in, but .* a defect of the job"):
        taken = INPUT_COUNT | {what: INPUT_COUNT[what] + 1}
        check_sums(add_up(REPORTS, counted(REJECTS), taken, DROPPED, PLAN))


def test_a_sum():
    check_sum("photos", 5, {"written": 3, "rejected": 2})
    with pytest.raises(RuntimeError, match="5 photos in, but 3 written and 1 rejected"):
        check_sum("photos", 5, {"written": 3, "rejected": 1})


def test_the_longest_caption_of_each_split():
    reports = [report("dev"), report(), report(index=1)]
    longer = reports[0].model_copy(update={"caption_lengths": {5: 1, 9: 1}})
    numbers = add_up([longer, *reports[1:]], Rejected(), INPUT_COUNT, DROPPED, PLAN)
    assert numbers.longest_by_split == {"dev": 9, "train": 5}
    assert numbers.longest_caption == 9


@pytest.mark.parametrize(("used", "left"), [(1, 2), (4, 0)])
def test_files_that_are_no_photos(used, left):
    taken = INPUT_COUNT | {"files": 3, "files_used": used}
    numbers = add_up(REPORTS, counted(REJECTS), taken, DROPPED, PLAN)
    assert numbers.uncaptioned_files == left


@pytest.mark.parametrize(
    ("distinct", "equal"),
    [([[1, 4, 2]], True), ([[1, 5, 2]], False), ([[1, 4, 2], [1, 5, 2]], False)],
)
def test_captions_that_are_all_equal(distinct, equal):
    other = report(index=1).model_copy(update={"distinct": distinct})
    dev = report("dev").model_copy(update={"distinct": [[1, 6, 2]]})
    numbers = add_up([dev, report(), other], Rejected(), INPUT_COUNT, DROPPED, PLAN)
    assert numbers.equal_captions == equal


def test_dropped_words_are_the_most_frequent_whatever_their_order():
    counts = [(("digit", str(n)), 3 if n < 5 else 1) for n in range(20)]
    counts.append((("symbol", "€"), 2))
    for seed in range(3):
        shuffled = random.Random(seed).sample(counts, len(counts))
        found = add_up_dropped(shuffled)
        assert {reason: words.count for reason, words in found.items()} == {
            "digit": 30,
            "symbol": 2,
        }
        often = [(str(n), 3) for n in range(5)]
        assert found["digit"].examples == [
            *often,
            *((word, 1) for word in ("10", "11", "12", "13", "14")),
        ]
        assert found["symbol"].examples == [("€", 2)]


@pytest.fixture
def job(data, tmp_path):
    output_directory.prepare(str(tmp_path / "out"), "dataset.json", False)
    return data.job(tmp_path / "out")


def finish(job, reports=REPORTS, rejects=REJECTS, photos=8, captions=12):
    texts = [report.model_dump_json() for report in reports]
    taken = INPUT_COUNT | {"photos": photos, "captions": captions}
    dropped = [(("digit", "2"), 2), (("digit", "4"), 1)]
    return list(Finish(job).process(None, PLAN, texts, rejects, taken, dropped))


def test_the_manifest_lists_shards_by_split_and_index(job):
    assert finish(job) == [job.output]
    held = load_manifest(job.output).shards
    names = {split: [shard.name for shard in of] for split, of in held.items()}
    assert names == {
        "train": ["train-00000-of-00002.tfrecord", "train-00001-of-00002.tfrecord"],
        "dev": ["dev-00000-of-00001.tfrecord"],
        "test": [],
    }


def test_the_order_of_reports_and_rejects_does_not_matter(job):
    finish(job)
    first = contents(job.output)
    finish(job, REPORTS[::-1], REJECTS[::-1])
    assert contents(job.output) == first
    rejects = first["rejects.jsonl"].decode().splitlines()
    assert rejects == sorted(rejects) and '"é.jpg"' in "".join(rejects)


def test_leftovers_of_an_interrupted_build_go(job):
    output = Path(job.output)
    left = [
        ".train-00000-of-00002.tfrecord.0a1b2c3d.tmp",
        "dev-00003-of-00009.tfrecord",
    ]
    for name in [*left, "notes.txt", "train-00001-of-00002.tfrecord"]:
        (output / name).write_text("")
    finish(job)
    found = {path.name for path in output.iterdir()}
    assert found == {
        "notes.txt",
        "train-00001-of-00002.tfrecord",
        "vocabulary.txt",
        "rejects.jsonl",
        "dataset.json",
    }


def test_text_is_gone_before_the_manifest_is_there(job, monkeypatch):
    """A job killed between the two leaves a finished output, which none tidies up."""
    write_blocks(job.output, {"photos": ["a photo"]})
    monkeypatch.setattr(Manifest, "save", raise_key_error)
    with pytest.raises(KeyError):
        finish(job)
    assert not Path(output_directory.text_folder(job.output)).exists()
    assert not (Path(job.output) / "dataset.json").exists()


def raise_key_error(*_):
    raise KeyError


def refusal(job, **given) -> str:
    with pytest.raises(UserError) as error:
        finish(job, **given)
    assert not (Path(job.output) / "dataset.json").exists()
    assert (Path(job.output) / output_directory.REPORTS).is_dir()
    rejects = (Path(job.output) / "rejects.jsonl").read_text().splitlines()
    assert len([json.loads(line) for line in rejects]) == 3
    return str(error.value)


def test_too_many_rejects(job):
    message = refusal(replace(job, max_reject_fraction=0.2))
    assert "2 of 8 photos were rejected, more than --max_reject_fraction 0.2" in message
    assert "; rejected: corrupt_photo 1 photo and 5 captions, e.g. é.jpg: d" in message
    assert "; no_caption 1 photo, e.g. c.jpg: detail" in message
    assert "; not_utf8 1 caption, e.g. f:3: detail" in message
    assert "run the same command with --max_reject_fraction 0.25" in message
    assert f"{job.output}/rejects.jsonl names each" in message


def test_no_training_photo(job):
    message = refusal(job, reports=REPORTS[:1], photos=4, captions=8)
    assert "no training photo" in message and "corrupt_photo 1 photo" in message
