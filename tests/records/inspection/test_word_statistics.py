import pytest

from records.errors import UserError
from records.format.record_set import RecordSet
from records.inspection import word_statistics
from records.inspection.word_statistics import count_words, reject_examples


def test_words_of_each_split(record_set):
    found = count_words(RecordSet.open(str(record_set)))
    assert list(found) == ["train", "dev"]
    numbers = RecordSet.open(str(record_set)).manifest.statistics
    assert found["train"].captions + found["dev"].captions == numbers.captions_written
    assert found["train"].tokens + found["dev"].tokens == numbers.tokens
    unknown = sum(words.unknown.total() for words in found.values())
    assert unknown == numbers.out_of_vocabulary
    assert set(found["train"].unknown) == {
        *("runs", "two", "dogs", "run", "on", "grass", "cat", "sleeps", "bird")
    }
    train = found["train"]
    assert train.unknown_rate == train.unknown.total() / train.tokens
    assert train.words["a"] > train.words["bird"] > 0


def test_of_a_large_set_the_first_records_are_read(record_set, monkeypatch):
    opened = RecordSet.open(str(record_set))
    monkeypatch.setattr(word_statistics, "READ_CAPTIONS", 7)
    assert {w.captions for w in count_words(opened).values()} <= {5, 6, 7}


def test_examples_of_what_was_left_out(record_set):
    found = reject_examples(str(record_set))
    assert {
        reason: [line.where for line in lines] for reason, lines in found.items()
    } == {
        "photo_missing": ["gone.jpg"],
        "in_no_split": ["odd.jpg"],
        "no_word_left": ["c.txt:7"],
    }
    path = record_set / "rejects.jsonl"
    path.write_text(path.read_text() * 5)
    assert all(len(lines) == 3 for lines in reject_examples(str(record_set)).values())
    path.unlink()
    with pytest.raises(UserError, match="is missing"):
        reject_examples(str(record_set))
