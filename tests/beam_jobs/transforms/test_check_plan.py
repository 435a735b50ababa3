"""What a build says that must fail, and what it leaves behind."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_data import PHOTOS, build, counting

from beam_jobs.sources.flickr8k import SPLIT_FILES
from beam_jobs.sources.registry import SOURCES
from beam_jobs.transforms.check_plan import Rejected, after, describe, make_plan
from records.errors import UserError
from records.format.rejects import Reject
from tfcap.config.experiment import TokenizerConfig


def reject(where: str, detail: str = "none", reason: str = "no_word_left") -> Reject:
    return Reject("caption", where, reason, detail, 1)


def counted(rejects: list[Reject]) -> Rejected:
    rejected = Rejected()
    assert list(rejected.counting(rejects)) == rejects
    return rejected


def test_the_first_example_is_that_of_the_lowest_line():
    rejects = [reject("f:10"), reject("f:9"), reject("a/f:11"), reject("f:100")]
    assert counted(rejects[:2]).first["no_word_left"].where == "f:9"
    assert counted(rejects).first["no_word_left"].where == "a/f:11"


def test_the_order_of_rejects_does_not_matter():
    rejects = [reject(f"f:{n}", reason=r) for n in range(3) for r in "abc"]
    rejects.append(reject("f:1", reason="c"))
    assert after(counted(rejects)) == after(counted(rejects[::-1]))
    assert after(counted(rejects)).startswith(
        "; rejected: c 4 captions, e.g. f:0: none; a 3"
    )


@pytest.mark.parametrize(
    ("detail", "shown"),
    [
        ("one\ntwo\r\n three", "one two three"),
        (repr("one\ntwo"), "'one two'"),
        ("\x1b[31mred\x07", "[31mred"),
        ("", "''"),
        ("x" * 200, "x" * 120 + "..."),
    ],
)
def test_an_example_is_one_line_of_a_message(detail, shown):
    assert describe("no_word_left", counted([reject("f:1", detail)])) == (
        f"no_word_left 1 caption, e.g. f:1: {shown}"
    )


def entries(**changes) -> list[dict]:
    whole = {"captions": ["A dog runs ."], "split": "train"}
    return [{"photo": photo, **whole, **changes} for photo in PHOTOS]


def without(key: str) -> list[dict]:
    return [{k: v for k, v in entry.items() if k != key} for entry in entries()]


CAUSES = {
    "no split": (without("split"), "in_no_split 10 photos and 10 captions, e.g. a.jpg"),
    "unknown split": (
        entries(split="traning"),
        "unknown_split 10 photos and 10 captions, e.g. a.jpg: in split 'traning'; exp",
    ),
    "no captions": (entries(captions=[]), "no_caption 10 photos, e.g. a.jpg: no usab"),
    "field of another name": (
        [{"captoins": ["A dog ."], **entry} for entry in without("captions")],
        "missing_field 10 captions, e.g. captions.jsonl:1: expected a field 'captions'",
    ),
    "not an array": (
        entries(captions={"en": "A dog ."}),
        "not_an_array 10 captions, e.g. captions.jsonl:1: expected 'captions' to be an",
    ),
    "lines in a caption": (
        entries(captions=["!\n!"]),
        "no_word_left 10 captions, e.g. captions.jsonl:1.captions[0]: ! !",
    ),
    "nothing but numbers": (
        entries(captions=["1 2 3"]),
        "no_word_left 10 captions, e.g. captions.jsonl:1.captions[0]: 1 2 3",
    ),
    "no such photos": (
        [{**entry, "photo": "x/" + entry["photo"]} for entry in entries()],
        "photo_missing 10 photos and 10 captions, e.g. x/a.jpg: no file ",
    ),
}


@pytest.fixture
def build_jsonl(data, tmp_path, monkeypatch):
    """Builds from entries; fails, and returns the message and the rejects."""
    monkeypatch.chdir(tmp_path)

    def run(content: list[dict], **changes) -> tuple[str, list[dict]]:
        path = Path("captions.jsonl")
        path.write_text("".join(json.dumps(entry) + "\n" for entry in content))
        source = SOURCES["jsonl"].named([str(path)], None)
        job = replace(data.job(tmp_path / "out"), source=source, **changes)
        encoder = counting()
        with pytest.raises(UserError) as error:
            build(job, encoder_for=encoder)
        assert encoder.photos == 0
        lines = (tmp_path / "out" / "rejects.jsonl").read_text().splitlines()
        return str(error.value), [json.loads(line) for line in lines]

    return run


@pytest.mark.parametrize("cause", CAUSES)
def test_without_training_photos_the_cause_is_named(build_jsonl, cause):
    content, expected = CAUSES[cause]
    message, rejects = build_jsonl(content)
    assert message.startswith("no training photo is left; rejected: ")
    assert expected in message and "min_count" not in message
    remedy = "split_fractions 0.9,0.05,0.05" if cause == "no split" else "the splits"
    assert message.endswith(remedy)
    for one in rejects:
        assert f" {one['reason']} " in message
    # Each of the photos is there, whatever became of its captions.
    assert sum(one["what"] == "photo" for one in rejects) == 10


@pytest.mark.parametrize(
    ("split", "fractions", "remedy"),
    [
        ("dev", None, "name the photos of split train, or leave splits out everywhere"),
        (None, (1e-9, 1.0, 0.0), "take more photos, or a larger part for train in"),
    ],
)
def test_a_build_of_other_splits_alone(build_jsonl, split, fractions, remedy):
    message, rejects = build_jsonl(entries(split=split), split_fractions=fractions)
    start = "no training photo is left: no photo is in split train. "
    assert message.startswith(start + remedy)
    assert rejects == []


@pytest.mark.parametrize("folders_in", ["captions", "lists"])
def test_lists_that_name_photos_otherwise_than_captions(data, tmp_path, folders_in):
    captions, lists = data.captions.read_text(), data.splits.glob("*Images.txt")
    if folders_in == "captions":
        data.captions.write_text("".join(f"x/{c}\n" for c in captions.splitlines()))
    else:
        for path in lists:
            names = path.read_text().split()
            path.write_text("".join(f"x/{name}\n" for name in names))
    with pytest.raises(UserError) as error:
        build(data.job(tmp_path / "out"))
    names = ["x/a.jpg", "a.jpg"] if folders_in == "captions" else ["a.jpg", "x/a.jpg"]
    assert str(error.value).endswith(
        f"captions name photos as {names[0]}, splits as {names[1]}; name them in both "
        "with the folder, or in both without"
    )


def test_words_that_are_all_rare_are_no_matter_of_rejects(data, tmp_path):
    job = data.job(tmp_path / "out", tokenizer={"min_count": 1000})
    with pytest.raises(UserError, match=r"lower tokenizer\.min_count"):
        build(job)
    assert Path(job.output, "rejects.jsonl").read_bytes() == b""


def test_photos_without_usable_captions_count_where_splits_are_drawn(build_jsonl):
    content = without("split")
    for entry in content[:5]:
        entry["captions"] = ["42"]
    message, rejects = build_jsonl(
        content, split_fractions=(0.8, 0.1, 0.1), max_reject_fraction=0.4
    )
    assert message.startswith("5 of 10 photos were rejected, more than --max_reject_f")
    assert "no_caption 5 photos, e.g. a.jpg: no usable caption" in message
    assert len(rejects) == 10


def test_a_build_that_fails_early_leaves_its_own_rejects(data, tmp_path):
    (data.photos / "a.jpg").unlink()
    job = data.job(tmp_path / "out", max_reject_fraction=0.0)
    with pytest.raises(UserError, match="photo_missing"):
        build(job)
    rejects = Path(job.output, "rejects.jsonl")
    assert rejects.read_bytes()
    data.append(data.splits / SPLIT_FILES["dev"], [b"caf\xe9.jpg"])
    with pytest.raises(UserError, match="in UTF-8"):
        build(job)
    assert rejects.read_bytes() == b""


def test_the_plan_cuts_shards_and_orders_words():
    counts = {"dog": 2, "a": 5, "cat": 2, "rare": 1}
    settings = TokenizerConfig(min_count=2)
    plan = make_plan(counts, {("train", ""): 7, ("dev", ""): 3}, settings, 3)
    assert plan.tokens[4:] == ("a", "cat", "dog")
    assert (plan.shards, plan.photos) == ({"train": 3, "dev": 1}, 10)


def test_a_plan_without_words_says_what_to_do():
    with pytest.raises(UserError, match=r"the 1 distinct words.*tokenizer.min_count"):
        make_plan({"dog": 1}, {("train", ""): 1}, TokenizerConfig(min_count=2), 3)
