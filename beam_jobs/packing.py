"""Captions and photos in few bytes, for what is joined and grouped.

The runner in this process holds what it groups as objects: a photo's five captions and
their words are some 5 KB of them, and 300 bytes packed. Of plain tuples and bytes, too,
a coder is ten times as fast as of named tuples.
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
    content = dumps((file.photo_id, split, tuple(file), captions, place))
    return file.photo_id, split, content


def unpack_photo(content: bytes) -> Photo:
    """From the last part of a PackedPhoto."""
    photo_id, split, file, captions, place = pickle.loads(content)
    return Photo(
        photo_id,
        split,
        PhotoFile(*file),
        tuple(unpack_captions(captions)),
        place and Place(*place),
    )


def with_earlier(packed: PackedPhoto, earlier: Place | None) -> PackedPhoto:
    """The same photo, and where an earlier record set has it."""
    _, split, content = packed
    _, _, file, captions, _ = pickle.loads(content)
    return pack_photo(split, PhotoFile(*file), captions, earlier)


def dumps(thing: object) -> bytes:
    return pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
