"""Lists in files between two steps."""

import json
import pickle

import pytest
from memory_files import held

from beam_jobs.elements import Caption, Photo, RecordLocation, SourceFile
from beam_jobs.io.output_directory import prepare, text_folder
from beam_jobs.transforms.spill import (
    Block,
    BlockFile,
    PackedPhoto,
    pack_captions,
    read_blocks,
    unpack_captions,
    unpack_photo,
    write_blocks,
)
from records.errors import UserError

FILE = SourceFile("ä.jpg", "photos/ä.jpg", 9, 1.5)
CAPTIONS = [
    Caption("ä.jpg", 0, "f:1", "Ein Hund .", ("ein", "hund")),
    Caption("ä.jpg", 1, "f:2", "2 🐕", ("2", "🐕"), ("2", "<unk>")),
]
PLACE = RecordLocation("records/train-00000-of-00001.tfrecord", 4096)


@pytest.fixture(params=["disk", "store://bucket", "tree://bucket"])
def output(request, tmp_path, memory) -> str:
    return str(tmp_path) if request.param == "disk" else f"{request.param}/out"


def test_lists_come_back_whatever_their_order(output):
    lists = {"a": [1, ["é\udcff", None]], "b": [], "c": ["text" * 9999]}
    blocks = dict(write_blocks(output, lists))
    other = dict(write_blocks(output, {"d": ["other"]}))
    assert blocks["a"].path == blocks["c"].path != other["d"].path
    assert {key: list(read_blocks([block])) for key, block in blocks.items()} == lists
    found = list(read_blocks([blocks["c"], other["d"], blocks["a"]]))
    assert found in (
        [*lists["a"], *lists["c"], "other"],
        ["other", *lists["a"], *lists["c"]],
    )


def test_a_file_is_there_only_when_it_is_whole(tmp_path):
    with pytest.raises(KeyError), BlockFile(str(tmp_path)) as file:
        file.write("a", [1])
        raise KeyError
    assert not list((tmp_path / ".build" / "text").iterdir())


def test_what_a_broken_off_job_left_is_removed_by_the_next(output):
    prepare(output, "last", overwrite=False)
    (block,) = [block for _, block in write_blocks(output, {"a": [1]})]
    prepare(output, "last", overwrite=False)
    with pytest.raises(UserError, match=f"cannot read {block.path}"):
        list(read_blocks([block]))
    if "://" in output:
        assert not [name for name in held(output) if "/text/" in name]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    folder = tmp_path / ".build"
    folder.write_text("a file")
    with pytest.raises(UserError, match=f"cannot write {text_folder(str(tmp_path))}"):
        write_blocks(str(tmp_path), {"a": [1]})


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*gone: No such file"):
        list(read_blocks([Block(str(tmp_path / "gone"), 0, 1)]))


class Harmful:
    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("form", ["pickle", "no list", "deep"])
def test_a_file_that_somebody_else_wrote_is_data_and_no_code(tmp_path, form):
    harmful = Harmful()
    harmful.path = tmp_path / "harm"
    content = {
        "pickle": pickle.dumps([harmful]),
        "no list": b'{"a": 1}',
        "deep": b"[" * 100_000,
    }[form]
    ((_, block),) = write_blocks(str(tmp_path), {"a": ["text"]})
    with open(block.path, "wb") as file:
        file.write(content)
    with pytest.raises(UserError, match=f"{block.path} is damaged: no JSON array"):
        list(read_blocks([block._replace(size=len(content))]))
    assert not harmful.path.exists()


@pytest.mark.parametrize("captions", [CAPTIONS, []])
def test_captions_come_back(captions):
    assert unpack_captions(pack_captions(captions)) == captions


@pytest.mark.parametrize("earlier", [None, PLACE])
def test_a_photo_comes_back(earlier):
    packed = PackedPhoto("ä.jpg", "train", FILE, pack_captions(CAPTIONS), earlier)
    expected = Photo("ä.jpg", "train", FILE, tuple(CAPTIONS), earlier)
    assert unpack_photo(json.loads(json.dumps(packed))) == expected
