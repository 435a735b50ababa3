"""Which photos are shown after every epoch, and what of them."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from records.format.schema import FeatureSpec, PhotoRecord
from records.storage.photo_directory import PhotoFolder
from tfcap.training.sample_captions import (
    PIXELS,
    choose,
    describe_monotony,
    picture,
    table,
)

RECORD = PhotoRecord(
    photo_id="a.jpg",
    photo_sha256=b"",
    features=np.zeros(4, np.float32),
    captions=("A dog .", "Two | dogs ."),
    ids=((1, 2), (1, 2)),
)


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (250, 0, 0)).save(file, "JPEG")
    return file.getvalue()


def test_a_few_are_chosen_by_the_seed_in_stored_order(make_records):
    records = make_records({"train": 3, "dev": 21})
    spec = FeatureSpec(shape=(4,), dtype="float32")
    assert records.manifest.features == spec
    everything = [record.photo_id for record in choose(records, "dev", 100, 0)]
    assert sorted(everything) == sorted(f"dev{i}.jpg" for i in range(21))
    chosen = [
        [record.photo_id for record in choose(records, "dev", 4, seed)]
        for seed in (0, 0, 1)
    ]
    assert chosen[0] == chosen[1] != chosen[2]
    for ids in chosen:
        assert ids == [name for name in everything if name in ids]
        assert len(ids) == 4


def test_a_photo_comes_from_the_record_or_from_its_file(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg(400, 100))
    from_file = picture(RECORD, PhotoFolder(str(tmp_path)))
    assert from_file.shape == (PIXELS // 4, PIXELS, 3) and from_file.dtype == "uint8"
    kept = dataclasses.replace(RECORD, encoded=jpeg(50, 100))
    assert picture(kept, PhotoFolder(str(tmp_path))).shape == (PIXELS, PIXELS // 2, 3)


def test_a_transparent_webp_is_shown(tmp_path):
    Image.new("RGBA", (40, 20)).save(tmp_path / "a.jpg", "WEBP")
    shown = picture(RECORD, PhotoFolder(str(tmp_path)))
    assert shown.shape == (PIXELS // 2, PIXELS, 3)


@pytest.mark.parametrize("content", [None, b"", b"no photo", jpeg(40, 40)[:300]])
def test_without_a_photo_there_is_text_alone(tmp_path, content):
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    assert picture(RECORD, PhotoFolder(str(tmp_path))) is None


def test_the_table_has_caption_and_references():
    text = table((RECORD,), ["a <unk> dog"])
    assert text.splitlines()[2] == (
        r"| a.jpg | a &lt;unk&gt; dog | A dog . / Two \| dogs . |"
    )


@pytest.mark.parametrize(
    ("captions", "note"),
    [
        (["", ""], "sample captions all empty"),
        (["a dog"] * 4, "sample captions all the same"),
        (["a dog", "", "a dog"], ""),
        (["a dog"], ""),
    ],
)
def test_captions_without_information_get_a_note(captions, note):
    assert describe_monotony(captions) == note
