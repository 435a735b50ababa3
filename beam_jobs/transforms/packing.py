"""A photo and its captions in few objects, for what is joined and cut into shards.

A photo's five captions and their words are some 5 KB of objects, and 1 KB packed, as
JSON; what a step does not look into stays so.
"""

import json
from collections.abc import Sequence

from beam_jobs.elements import Caption, Photo, RecordLocation, SourceFile

# Photo id, split, SourceFile, captions packed, Place or None: what JSON can say.
PackedPhoto = tuple[str, str, Sequence, str, Sequence | None]


def pack_captions(captions: Sequence[Caption]) -> str:
    """Returns JSON for `unpack_captions` in the same job; not a form to keep."""
    return json.dumps(captions, separators=(",", ":"))


def unpack_captions(packed: str) -> list[Caption]:
    return [
        Caption(*fields, tuple(words), tuple(tokens))
        for *fields, words, tokens in json.loads(packed)
    ]


def pack_photo(
    photo_id: str,
    split: str,
    file: SourceFile,
    captions: str,
    earlier: RecordLocation | None = None,
) -> PackedPhoto:
    """A photo of a file, with its captions packed."""
    return photo_id, split, tuple(file), captions, earlier and tuple(earlier)


def unpack_photo(packed: PackedPhoto) -> Photo:
    photo_id, split, file, captions, place = packed
    captions = tuple(unpack_captions(captions))
    return Photo(
        photo_id, split, SourceFile(*file), captions, place and RecordLocation(*place)
    )
