"""Captions and photos in few bytes and back."""

import pytest

from beam_jobs.elements import Caption, Photo, RecordLocation, SourceFile
from beam_jobs.transforms.packing import (
    pack_captions,
    pack_photo,
    unpack_captions,
    unpack_photo,
)

FILE = SourceFile("ä.jpg", "photos/ä.jpg", 9, 1.5)
CAPTIONS = [
    Caption("ä.jpg", 0, "f:1", "Ein Hund .", ("ein", "hund")),
    Caption("ä.jpg", 1, "f:2", "2 🐕", ("2", "🐕"), ("2", "<unk>")),
]
PLACE = RecordLocation("records/train-00000-of-00001.tfrecord", 4096)


@pytest.mark.parametrize("captions", [CAPTIONS, []])
def test_captions_come_back(captions):
    assert unpack_captions(pack_captions(captions)) == captions


@pytest.mark.parametrize("earlier", [None, PLACE])
def test_a_photo_comes_back(earlier):
    packed = pack_photo("ä.jpg", "train", FILE, pack_captions(CAPTIONS), earlier)
    assert packed[:2] == ("ä.jpg", "train")
    expected = Photo("ä.jpg", "train", FILE, tuple(CAPTIONS), earlier)
    assert unpack_photo(packed) == expected
