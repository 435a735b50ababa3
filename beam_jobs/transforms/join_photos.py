"""Joins captions with splits and files, a partition of the photos at a time."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.transforms.window import GlobalWindows

from beam_jobs.elements import REJECTED, Caption, SourceFile
from beam_jobs.io.beam_storage import FileDoFn
from beam_jobs.transforms.read_captions import (
    CAPTIONS,
    FILES,
    INPUT_COUNT,
    PLACES,
    SPLITS,
    PhotoAttribute,
    tagged,
)
from beam_jobs.transforms.spill import (
    Block,
    PackedPhoto,
    pack_captions,
    read_blocks,
    unpack_captions,
    write_blocks,
)
from records.errors import UserError
from records.format import sharding
from records.format.rejects import Reject
from records.storage.photo_ids import SPLIT_NAMES, is_below

NO_PHOTO = {FILES, PLACES}  # facts that alone make no photo
TRAINING_WORD, SPLIT_SIZE = "training_word", "split_size"


class JoinPhotos(FileDoFn):
    """(partition, Blocks of facts) -> Block of PackedPhoto, and what is counted.

    Outputs:
        rejected: Reject, for each photo that lacks something.
        training_word: (word, how often) over the training list's captions, whether or
            not the photo's file exists. Words are counted a bundle at a time, because
            an element for each word would cost more than the rest of the text.
        split_size: ((split, container or ""), how many photos).
        taken: (`photos`, how many came in), (`files`, how many lie in the directory),
            (`files_used`, how many of these are photos that came in).

    A file without a caption is not counted as a photo that came in.

    Args:
        directory: of the photos.
        output: directory of the records.
        fractions: of photos in each split, where the source has no splits.
    """

    def __init__(
        self,
        directory: str,
        output: str,
        fractions: tuple[float, float, float] | None = None,
    ):
        self.directory, self.output, self.fractions = directory, output, fractions

    def start_bundle(self) -> None:
        self.words: Counter[str] = Counter()

    def finish_bundle(self):
        for count in self.words.items():
            value = GlobalWindows.windowed_value(count)
            yield beam.pvalue.TaggedOutput(TRAINING_WORD, value)

    def process(self, keyed: tuple[int, Iterable[Block]]):
        facts = by_photo(read_blocks(keyed[1]))
        named = {p: parts for p, parts in facts.items() if parts.keys() - NO_PHOTO}
        joined = [self.join(photo_id, parts) for photo_id, parts in named.items()]
        photos = [photo for photo in joined if not isinstance(photo, Reject)]
        rejects = [reject for reject in joined if isinstance(reject, Reject)]
        sizes = Counter((split, file.container) for _, split, file, *_ in photos)
        yield from tagged(REJECTED, rejects)
        yield from tagged(INPUT_COUNT, count_inputs(facts, named).items())
        yield from tagged(SPLIT_SIZE, sizes.items())
        for _, block in write_blocks(self.output, {"photos": photos}):
            yield block

    def join(self, photo_id: str, parts: Mapping[str, list]) -> PackedPhoto | Reject:
        """Joins the values of one photo's facts, by kind."""
        captions, packed = in_order(parts[CAPTIONS])
        splits = self.splits(photo_id, parts[SPLITS])
        files = candidates(photo_id, parts)
        if splits == ["train"]:
            for caption in captions:
                self.words.update(caption.words)
        problem = problem_of_text(captions, splits) or self.problem_of_files(
            files, photo_id
        )
        if problem:
            return Reject("photo", photo_id, *problem, len(captions))
        earlier = min(parts[PLACES], default=None)
        return PackedPhoto(photo_id, splits[0], files[0], packed, earlier)

    def splits(self, photo_id: str, named: list[str]) -> list[str]:
        """Returns the splits that a photo is in, by the source or by its id."""
        splits = sorted(set(named))
        if self.fractions is None:
            return splits
        if splits:
            raise UserError(
                f"--split_fractions: the captions say that {photo_id} is in split "
                f"{splits[0]!r}; leave --split_fractions out"
            )
        return [draw_split(photo_id, self.fractions)]

    def problem_of_files(
        self, files: list[SourceFile], photo_id: str
    ) -> tuple[str, str] | None:
        if len(files) > 1:
            names = sorted(file.name for file in files)
            return "two_files", f"may be {names[0]} or {names[1]}"
        if not files:
            if not is_below(photo_id):
                return "photo_missing", f"expected a path below {self.directory}"
            path = FileSystems.join(self.directory, photo_id)
            if FileSystems.exists(path):
                return "not_a_file", f"{path} is no file of the photo directory"
            return "photo_missing", f"no file {path}"
        return None


def count_inputs(
    facts: Mapping[str, Mapping[str, list]], named: Mapping[str, Mapping[str, list]]
) -> dict[str, int]:
    """Returns how many photos came in, how many files lie there and are photos.

    Args:
        facts: of every id in the partition, by kind.
        named: those of ids that the source names.
    """
    return {
        "photos": len(named),
        "files": sum(len(own_files(p, parts)) for p, parts in facts.items()),
        "files_used": sum(len(candidates(p, parts)) for p, parts in named.items()),
    }


def by_photo(facts: Iterable[PhotoAttribute]) -> Mapping[str, Mapping[str, list]]:
    """Returns photo id -> kind -> values."""
    values: dict[str, dict[str, list]] = defaultdict(lambda: defaultdict(list))
    for photo_id, kind, value in facts:
        values[photo_id][kind].append(value)
    return values


def own_files(photo_id: str, parts: Mapping[str, list]) -> list[SourceFile]:
    """Returns the files whose path below the directory is the id."""
    files = (SourceFile(*file) for file in parts.get(FILES, ()))
    return [file for file in files if file.photo_id == photo_id]


def candidates(photo_id: str, parts: Mapping[str, list]) -> list[SourceFile]:
    """Returns the files that may be a photo: at its path, else of its name.

    A file that several links lead to counts once.
    """
    files = own_files(photo_id, parts) or [SourceFile(*f) for f in parts.get(FILES, ())]
    if len(files) < 2:
        return files
    ordered = sorted(files, key=lambda file: file.path, reverse=True)
    distinct = {(os.path.realpath(f.path), f.place, f.column): f for f in ordered}
    return list(distinct.values())


def draw_split(photo_id: str, fractions: tuple[float, float, float]) -> str:
    """Returns the split that a hash of the photo's id draws.

    Args:
        fractions: of train, dev and test; their sum is 1.
    """
    digest = hashlib.sha256(b"tfcap split:" + photo_id.encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    for split, fraction in zip(sharding.SPLITS, fractions):
        place -= fraction
        if place < 0:
            return split
    # Rounding left a little: the last split that has photos.
    return [s for s, fraction in zip(sharding.SPLITS, fractions) if fraction][-1]


def in_order(parts: list[str]) -> tuple[list[Caption], str]:
    """Returns a photo's captions from their parts, in order, unpacked and packed."""
    captions = [caption for part in parts for caption in unpack_captions(part)]
    ordered = sorted(captions, key=lambda c: (c.number, c.text, c.where))
    if len(parts) == 1 and ordered == captions:
        return captions, parts[0]
    return ordered, pack_captions(ordered)


def problem_of_text(
    captions: list[Caption], splits: list[str]
) -> tuple[str, str] | None:
    """Returns reason and detail of the first problem, or None."""
    if len(splits) > 1:
        return "in_two_splits", f"listed in {' and '.join(splits)}"
    if not captions:
        return "no_caption", "no usable caption"
    if not splits:
        return "in_no_split", "in none of the splits"
    if splits[0] not in sharding.SPLITS:
        expected = ", ".join(SPLIT_NAMES)
        return "unknown_split", f"in split {splits[0]!r}; expected one of {expected}"
    return None
