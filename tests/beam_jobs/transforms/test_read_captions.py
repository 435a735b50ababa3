"""Facts of photos: what is read, by partition, and what is left out."""

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from apache_beam.pvalue import TaggedOutput
from small_data import PHOTOS

from beam_jobs.elements import REJECTED, Caption, SplitAssignment
from beam_jobs.io.output_directory import text_folder
from beam_jobs.transforms import read_captions
from beam_jobs.transforms.read_captions import (
    CAPTIONS,
    DROPPED,
    FILES,
    INPUT_COUNT,
    PARTITIONS,
    SPLITS,
    FactFile,
    ReadText,
    WriteFacts,
    file_facts,
)
from beam_jobs.transforms.spill import read_blocks, unpack_captions
from records.format.rejects import Reject

CAPTION = Caption("a.jpg", 0, "f:1", "A dog .")


def test_a_photo_is_in_one_partition_whoever_says_something_of_it(tmp_path):
    found = defaultdict(list)
    for kind in (SPLITS, CAPTIONS):
        with FactFile(str(tmp_path)) as file:
            for i in range(1000):
                file.add(f"{i}.jpg", kind, i)
            for partition, block in file.close():
                found[partition] += read_blocks([block])
    assert len(found) == PARTITIONS
    kinds = [Counter(fact[0] for fact in of_one) for of_one in found.values()]
    assert all(set(count.values()) == {2} for count in kinds)
    assert sum(map(len, kinds)) == 1000


def test_facts_are_written_as_they_come(tmp_path, monkeypatch):
    monkeypatch.setattr(read_captions, "FACTS", 3)
    given = [["a.jpg", SPLITS, i] for i in range(7)]
    with FactFile(str(tmp_path)) as file:
        for fact in given:
            file.add(*fact)
            assert sum(map(len, file.waiting.values())) < 3
        blocks = [block for _, block in file.close()]
    assert [len(list(read_blocks([block]))) for block in blocks] == [3, 3, 1]
    assert list(read_blocks(blocks)) == given


def test_long_captions_are_written_sooner(tmp_path, monkeypatch):
    monkeypatch.setattr(read_captions, "TEXT", 10)
    with FactFile(str(tmp_path)) as file:
        for text in ("x" * 11, "x" * 6, "x" * 6, "x"):
            file.add("a.jpg", CAPTIONS, text)
        file.add("a.jpg", FILES, ("x" * 99,))
        blocks = [block for _, block in file.close()]
    assert [len(list(read_blocks([block]))) for block in blocks] == [1, 2, 2]


def test_files_of_the_photo_directory(data, tmp_path):
    step = WriteFacts(str(tmp_path), file_facts)
    blocks = [block for _, block in step.process(str(data.photos))]
    found = {
        photo: value for photo, kind, value in read_blocks(blocks) if kind == FILES
    }
    assert set(found) == set(PHOTOS)
    assert found["a.jpg"][:2] == ["a.jpg", str(data.photos / "a.jpg")]


def test_all_that_an_input_says_is_read_and_counted(data, tmp_path, monkeypatch):
    monkeypatch.setattr(read_captions, "ITEMS", 4)
    lost = Reject("photo", "f:9", "malformed_line", "", 3)
    long = "2" * 99
    items = [
        CAPTION._replace(text=f"A dog . 2 a€ {long}"),
        SplitAssignment("a.jpg", "dev"),
    ]
    items += [lost, CAPTION._replace(text="! 2")]
    items += [CAPTION._replace(number=i) for i in range(1, 5)]
    job = data.job(tmp_path)
    monkeypatch.setattr(type(job.source), "items", lambda self, given: given)
    step, tagged, blocks = ReadText(job), defaultdict(list), []
    step.setup()
    for outcome in step.process(items):
        if isinstance(outcome, TaggedOutput):
            tagged[outcome.tag].append(outcome.value)
        else:
            blocks.append(outcome[1])
    found = list(read_blocks(blocks))
    assert ["a.jpg", SPLITS, "dev"] in found
    packed = [value for _, kind, value in found if kind == CAPTIONS]
    captions = [caption for part in packed for caption in unpack_captions(part)]
    assert [caption.number for caption in captions] == [0, 1, 2, 3, 4]
    assert {caption.words for caption in captions} == {("a", "dog")}
    assert [r.reason for r in tagged[REJECTED]] == ["malformed_line", "no_word_left"]
    counts = {"photos": 1, "captions": 6 + 3, "words": 2 + 3 + 1 + 8, "words_kept": 10}
    assert dict(tagged[INPUT_COUNT]) == counts
    assert dict(tagged[DROPPED]) == {
        ("digit", "2"): 2,
        ("digit", long[:64]): 1,
        ("symbol", "a€"): 1,
    }


def break_off(_):
    yield "a.jpg", SPLITS, "train"
    raise KeyError


def one_fact(_):
    yield "a.jpg", SPLITS, "train"


def test_batches_are_small_in_number_and_in_text(monkeypatch):
    monkeypatch.setattr(read_captions, "ITEMS", 3)
    monkeypatch.setattr(read_captions, "CHARACTERS", 10)
    lengths = [1, 1, 1, 1, 9, 1, 30, 4, 4, 4]
    captions = [Caption("a.jpg", i, "f", "x" * n) for i, n in enumerate(lengths)]
    items = [*captions, *[SplitAssignment("a.jpg", "train")] * 4]
    batches = [*read_captions.batched_by_text(items)]
    assert [len(batch) for batch in batches] == [3, 2, 1, 1, 2, 3, 2]
    assert [item for batch in batches for item in batch] == items
    assert [*read_captions.batched_by_text([])] == []


def test_tries_of_one_step_do_not_meet(tmp_path):
    """A runner takes one of them; of one that broke off nothing is left."""
    with pytest.raises(KeyError):
        list(WriteFacts(str(tmp_path), break_off).process(None))
    assert not list(Path(text_folder(str(tmp_path))).iterdir())
    tries = [list(WriteFacts(str(tmp_path), one_fact).process(None)) for _ in range(2)]
    paths = {block.path for ((_, block),) in tries}
    assert len(paths) == 2
    for ((_, block),) in tries:
        assert list(read_blocks([block])) == [["a.jpg", SPLITS, "train"]]
