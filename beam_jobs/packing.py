"""Captions and photos in few bytes, for what is joined and grouped.

The runner in this process holds what it groups as objects: a photo's five captions and
their words are some 5 KB of them, and 300 bytes packed. Bytes are also what a coder
has least to do with: of named tuples it makes pickles.
"""

import pickle
import zlib
from collections.abc import Sequence

from beam_jobs.elements import Caption, Photo, PhotoFile, Place

# Photo id, split, and all the rest.
PackedPhoto = tuple[str, str, bytes]

# Photos' captions differ little: the fastest level does nearly what the others do.
LEVEL = 1


def pack_captions(captions: Sequence[Caption]) -> bytes:
    """For `unpack_captions` in the same job; not a form to keep."""
    return zlib.compress(dumps([tuple(caption) for caption in captions]), LEVEL)


def unpack_captions(packed: bytes) -> list[Caption]:
    return [Caption(*fields) for fields in pickle.loads(zlib.decompress(packed))]


def pack_photo(
    split: str, file: PhotoFile, captions: bytes, earlier: Place | None = None
) -> PackedPhoto:
    """A photo of a file, with its captions packed."""
    place = earlier and tuple(earlier)
    return file.photo_id, split, dumps((split, tuple(file), captions, place))


def unpack_photo(content: bytes) -> Photo:
    """From the last part of a PackedPhoto."""
    split, fields, captions, place = pickle.loads(content)
    file, captions = PhotoFile(*fields), tuple(unpack_captions(captions))
    return Photo(file.photo_id, split, file, captions, place and Place(*place))


def with_earlier(packed: PackedPhoto, earlier: Place | None) -> PackedPhoto:
    """The same photo, and where an earlier record set has it."""
    split, file, captions, _ = pickle.loads(packed[-1])
    return pack_photo(split, PhotoFile(*file), captions, earlier)


def dumps(thing: object) -> bytes:
    return pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
