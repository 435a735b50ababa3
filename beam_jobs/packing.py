"""A photo and its captions in few objects, for what is joined and cut into shards.

A photo's five captions and their words are some 5 KB of objects, and 1 KB packed; what
a step does not look into stays so.
"""

import pickle
from collections.abc import Sequence

from beam_jobs.elements import Caption, Photo, PhotoFile, Place

# Photo id, split, PhotoFile, captions packed, Place or None; plain tuples all.
PackedPhoto = tuple[str, str, tuple, bytes, tuple | None]


def pack_captions(captions: Sequence[Caption]) -> bytes:
    """For `unpack_captions` in the same job; not a form to keep."""
    plain = [tuple(caption) for caption in captions]
    return pickle.dumps(plain, pickle.HIGHEST_PROTOCOL)


def unpack_captions(packed: bytes) -> list[Caption]:
    return [Caption(*fields) for fields in pickle.loads(packed)]


def pack_photo(
    split: str, file: PhotoFile, captions: bytes, earlier: Place | None = None
) -> PackedPhoto:
    """A photo of a file, with its captions packed."""
    return file.photo_id, split, tuple(file), captions, earlier and tuple(earlier)


def unpack_photo(packed: PackedPhoto) -> Photo:
    photo_id, split, file, captions, place = packed
    captions = tuple(unpack_captions(captions))
    return Photo(photo_id, split, PhotoFile(*file), captions, place and Place(*place))
