"""Text steps, on data in memory."""

import itertools
from collections import defaultdict

import pytest
from apache_beam.pvalue import TaggedOutput

from beam_jobs.elements import REJECTED, Caption, Photo, RecordLocation, SourceFile
from beam_jobs.transforms.join_photos import (
    SPLIT_SIZE,
    TRAINING_WORD,
    JoinPhotos,
    draw_split,
)
from beam_jobs.transforms.read_captions import (
    CAPTIONS,
    FILES,
    INPUT_COUNT,
    PLACES,
    SPLITS,
)
from beam_jobs.transforms.spill import (
    pack_captions,
    read_blocks,
    unpack_photo,
    write_blocks,
)
from records.errors import UserError
from records.format.rejects import Reject

FILE = SourceFile("a.jpg", "photos/a.jpg", 9, 1.0)
IN_FOLDER = FILE._replace(photo_id="b/a.jpg", path="photos/b/a.jpg")
CAPTION = Caption("a.jpg", 0, "f:1", "A dog .", ("a", "dog"))


def facts_of(photo_id="a.jpg", captions=None, splits=(), files=(), places=()):
    """A photo's facts; captions: None for none at all."""
    packed = [] if captions is None else [pack_captions(captions)]
    values = {CAPTIONS: packed, SPLITS: splits, FILES: files}
    for kind, of_kind in {**values, PLACES: places}.items():
        yield from ((photo_id, kind, value) for value in of_kind)


def run(output, facts, directory="photos", fractions=None) -> dict[str | None, list]:
    """What the step gives, by the tag of the output; of blocks, what is in them."""
    step, found = JoinPhotos(str(directory), str(output), fractions), defaultdict(list)
    blocks = [block for _, block in write_blocks(str(output), {0: list(facts)})]
    step.start_bundle()
    for outcome in [*step.process((0, blocks)), *step.finish_bundle()]:
        if isinstance(outcome, TaggedOutput):
            value = outcome.value
            found[outcome.tag].append(getattr(value, "value", value))
        else:
            found[None] += map(unpack_photo, read_blocks([outcome]))
    return found


@pytest.fixture
def join(tmp_path):
    def join(captions=(CAPTION,), splits=("train",), files=(FILE,), **others):
        """Photo or Reject, and (training word, how often)."""
        facts = facts_of("a.jpg", captions, splits, files)
        found = run(tmp_path, facts, **others)
        (outcome,) = found[None] + found[REJECTED]
        assert dict(found[INPUT_COUNT])["photos"] == 1
        return outcome, found[TRAINING_WORD]

    return join


def test_a_photo_with_all_it_needs(join):
    assert join() == (Photo("a.jpg", "train", FILE, (CAPTION,)), [("a", 1), ("dog", 1)])


def test_captions_stand_by_number_then_text_not_by_line(join):
    second = CAPTION._replace(number=1, where="f:10", text="B")
    same = CAPTION._replace(number=1, where="f:9", text="C")
    photo, _ = join(captions=[same, second, CAPTION])
    assert photo.captions == (CAPTION, second, same)


def test_a_photo_twice_in_one_list_is_there_once(join):
    assert isinstance(join(splits=["dev", "dev"])[0], Photo)


def test_words_outside_the_training_list_are_not_counted(join):
    assert join(splits=["dev"])[1] == []


def test_words_count_whether_or_not_the_file_is_there(join):
    assert join(files=[])[1] == [("a", 1), ("dog", 1)]


def test_captions_of_a_photo_may_come_in_several_parts(tmp_path):
    second = CAPTION._replace(number=1, words=("a", "cat"))
    parts = facts_of(captions=[second]), facts_of(captions=[CAPTION])
    others = facts_of(splits=["train"], files=[FILE])
    found = run(tmp_path, itertools.chain(*parts, others))
    assert found[None][0].captions == (CAPTION, second)
    assert dict(found[TRAINING_WORD])["a"] == 2


def test_photos_of_a_partition_are_counted_by_split(tmp_path):
    found = run(
        tmp_path,
        itertools.chain(
            facts_of("a.jpg", [CAPTION], ["train"], [FILE]),
            facts_of("b.jpg", [CAPTION], ["dev"], [FILE._replace(photo_id="b.jpg")]),
            facts_of("c.jpg", [CAPTION], ["train"], [FILE._replace(photo_id="c.jpg")]),
            facts_of("d.jpg", [CAPTION], ["dev"]),
        ),
    )
    assert sorted(photo.photo_id for photo in found[None]) == [
        "a.jpg",
        "b.jpg",
        "c.jpg",
    ]
    assert sorted(found[SPLIT_SIZE]) == [(("dev", ""), 1), (("train", ""), 2)]
    assert dict(found[INPUT_COUNT]) == {"photos": 4, "files": 3, "files_used": 3}
    assert len(found[REJECTED]) == 1


def test_a_place_of_an_earlier_record_is_kept_and_alone_is_no_photo(tmp_path):
    first, other = RecordLocation("p", 1), RecordLocation("q", 0)
    whole = {"captions": [CAPTION], "splits": ["train"], "files": [FILE]}
    here = facts_of("a.jpg", **whole, places=[other, first])
    found = run(tmp_path, itertools.chain(here, facts_of("b.jpg", places=[other])))
    assert [photo.earlier for photo in found[None]] == [first]
    assert dict(found[INPUT_COUNT])["photos"] == 1
    assert not found[REJECTED]


def test_files_that_nobody_captioned_are_no_photos(tmp_path):
    files = [FILE, FILE._replace(photo_id=".DS_Store", path="photos/.DS_Store")]
    files += [FILE._replace(photo_id=f"c/{n}", path=f"photos/c/{n}") for n in "xy"]
    facts = [(file.photo_id, FILES, file) for file in files]
    facts += [(n, FILES, files[2]._replace(photo_id=f"c/{n}")) for n in "xy"]
    captioned = facts_of("a.jpg", [CAPTION], ["train"])
    found = run(tmp_path, itertools.chain(facts, captioned))
    assert [photo.photo_id for photo in found[None]] == ["a.jpg"]
    assert found[REJECTED] == []
    assert dict(found[INPUT_COUNT]) == {"photos": 1, "files": 4, "files_used": 1}


@pytest.mark.parametrize(
    ("parts", "reason", "detail", "captions"),
    [
        ({"splits": ["train", "dev"]}, "in_two_splits", "listed in dev and train", 1),
        ({"captions": []}, "no_caption", "no usable caption", 0),
        ({"splits": []}, "in_no_split", "in none of the splits", 1),
        (
            {"splits": ["tset"]},
            "unknown_split",
            "in split 'tset'; expected one of train, training, restval, dev, "
            "development, val, valid, validation, test, testing",
            1,
        ),
        ({"files": []}, "photo_missing", "no file photos/a.jpg", 1),
        (
            {"files": [IN_FOLDER, IN_FOLDER._replace(path="photos/c/a.jpg")]},
            "two_files",
            "may be photos/b/a.jpg or photos/c/a.jpg",
            1,
        ),
        (
            {"files": [FILE, FILE._replace(path="photos/a.jpg ")]},
            "two_files",
            "may be photos/a.jpg or photos/a.jpg ",
            1,
        ),
    ],
)
def test_a_photo_that_lacks_something(join, parts, reason, detail, captions):
    expected = Reject("photo", "a.jpg", reason, detail, captions)
    assert join(**parts)[0] == expected


def test_a_file_at_the_path_goes_before_others_of_its_name(join):
    assert join(files=[IN_FOLDER, FILE])[0].file == FILE


def test_one_file_by_two_links_is_there_once(join, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.jpg").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    names = ["real/a.jpg", "link/a.jpg"]
    files = [IN_FOLDER._replace(photo_id=n, path=str(tmp_path / n)) for n in names]
    photo, _ = join(files=files)
    assert photo.file.path == str(tmp_path / "link/a.jpg")


def test_the_same_name_in_two_folders_is_two_photos(tmp_path):
    facts = [
        fact
        for folder in "bc"
        for file in [FILE._replace(photo_id=f"{folder}/a.jpg", path=f"p/{folder}")]
        for fact in facts_of(file.photo_id, [CAPTION], ["train"], [file])
    ]
    found = run(tmp_path, facts)
    assert sorted(photo.photo_id for photo in found[None]) == ["b/a.jpg", "c/a.jpg"]
    assert found[REJECTED] == []


def test_a_path_that_leads_out_of_the_directory_is_not_looked_at(tmp_path):
    (tmp_path / "secret").touch()
    facts = facts_of("../secret", [CAPTION], ["train"])
    (reject,) = run(tmp_path, facts, directory=tmp_path / "photos")[REJECTED]
    expected = f"expected a path below {tmp_path / 'photos'}"
    assert (reject.reason, reject.detail) == ("photo_missing", expected)


FRACTIONS = (0.8, 0.15, 0.05)


def test_photos_are_split_by_their_ids():
    names = [f"{i}.jpg" for i in range(4000)]
    found = [draw_split(name, FRACTIONS) for name in names]
    for split, fraction in zip(("train", "dev", "test"), FRACTIONS):
        assert abs(found.count(split) / 4000 - fraction) < 0.02
    assert [found.index(split) for split in ("train", "dev", "test")] == [0, 12, 37]
    assert {draw_split(name, (1.0, 0.0, 0.0)) for name in names} == {"train"}
    # 0.1 ten times is less than 1: the last photo is in a split all the same.
    assert draw_split("x", (5e-324, 0.0, 0.0)) == "train"


def test_a_photo_without_a_split_is_given_one(join):
    photo, words = join(splits=[], fractions=(1.0, 0.0, 0.0))
    assert photo.split == "train"
    assert words == [("a", 1), ("dog", 1)]


def test_a_source_that_has_splits_is_not_split_again(join):
    with pytest.raises(UserError, match=r"a\.jpg is in split 'dev'; leave --spl"):
        join(splits=["dev"], fractions=FRACTIONS)


def test_a_file_in_a_folder_is_found_by_its_name(join):
    assert join(files=[IN_FOLDER])[0].file == IN_FOLDER


def test_a_directory_in_a_photos_place(join, tmp_path):
    (tmp_path / "a.jpg").mkdir()
    reject, _ = join(files=[], directory=tmp_path)
    assert reject.reason == "not_a_file"
