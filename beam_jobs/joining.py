"""Text steps: join captions with splits and files, plan the shards, cut tokens."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.transforms.window import GlobalWindows

from beam_jobs.blocks import Block, read_blocks, write_blocks
from beam_jobs.elements import REJECTED, Caption, Photo, PhotoFile, Plan, Reject
from beam_jobs.facts import CAPTIONS, FILES, PATHS, PLACES, SPLITS, TAKEN, Fact
from beam_jobs.packing import (
    PackedPhoto,
    pack_captions,
    pack_photo,
    unpack_captions,
)
from records import shards
from records.errors import UserError
from records.scripts import unspaced_words
from records.tokenizer import Tokenizer
from records.tokenizer_settings import TokenizerSettings
from records.vocabulary import Vocabulary

TRAINING_WORD, SPLIT_SIZE = "training_word", "split_size"
MOSTLY = 0.5  # of the words, in a script without spaces: the build is refused


class JoinPhotos(beam.DoFn):
    """(partition, Blocks of facts) -> Block of PackedPhoto, and what is counted.

    Outputs:
        rejected: Reject, for each photo that lacks something.
        training_word: (word, how often) over the training list's captions, whether or
            not the photo's file turns out to be there. Counted a bundle at a time: sent
            on one by one words cost more than all the rest of the text.
        split_size: (split, how many photos).
        taken: (`photos`, how many came in).

    Args:
        directory: of the photos.
        output: directory of the records.
    """

    def __init__(self, directory: str, output: str):
        self.directory, self.output = directory, output

    def start_bundle(self):
        self.words = Counter()

    def finish_bundle(self):
        for count in self.words.items():
            value = GlobalWindows.windowed_value(count)
            yield beam.pvalue.TaggedOutput(TRAINING_WORD, value)

    def process(self, keyed: tuple[int, Iterable[Block]]):
        found = by_photo(read_blocks(keyed[1]))
        joined = [self.join(photo_id, parts) for photo_id, parts in found.items()]
        photos = [one for one in joined if not isinstance(one, Reject)]
        for reject in joined:
            if isinstance(reject, Reject):
                yield beam.pvalue.TaggedOutput(REJECTED, reject)
        yield beam.pvalue.TaggedOutput(TAKEN, ("photos", len(joined)))
        for size in Counter(split for _, split, *_ in photos).items():
            yield beam.pvalue.TaggedOutput(SPLIT_SIZE, size)
        for _, block in write_blocks(self.output, {"photos": photos}):
            yield block

    def join(self, photo_id: str, parts: Mapping[str, list]) -> PackedPhoto | Reject:
        """One photo of its facts' values, by kind.

        Where the source names the photo's path, the file must lie there.
        """
        captions, packed = in_order(parts[CAPTIONS])
        splits, paths = sorted(set(parts[SPLITS])), sorted(set(parts[PATHS]))
        files = self.at_paths([PhotoFile(*file) for file in parts[FILES]], paths)
        if splits == ["train"]:
            for caption in captions:
                self.words.update(caption.words)
        problem = problem_of_text(captions, splits, paths) or self.problem_of_files(
            files, paths or [photo_id]
        )
        if problem:
            return Reject("photo", photo_id, *problem, len(captions))
        return pack_photo(splits[0], files[0], packed, min(parts[PLACES], default=None))

    def at_paths(self, files: list[PhotoFile], paths: list[str]) -> list[PhotoFile]:
        named = {FileSystems.join(self.directory, path) for path in paths}
        return [file for file in files if file.path in named] if named else files

    def problem_of_files(
        self, files: list[PhotoFile], paths: list[str]
    ) -> tuple[str, str] | None:
        if len(files) > 1:
            found = sorted(file.path for file in files)
            return "two_files", f"the name of {found[0]} and {found[1]}"
        if not files:
            path = FileSystems.join(self.directory, paths[0])
            if FileSystems.exists(path):
                return "not_a_file", f"{path} is no file of the photo directory"
            return "photo_missing", f"no file {path}"
        return None


def by_photo(facts: Iterable[Fact]) -> dict[str, dict[str, list]]:
    """Photo id -> kind -> values; not of photos that only an earlier set has."""
    found = defaultdict(lambda: defaultdict(list))
    for photo_id, kind, value in facts:
        found[photo_id][kind].append(value)
    return {photo: parts for photo, parts in found.items() if parts.keys() != {PLACES}}


def in_order(parts: list[str]) -> tuple[list[Caption], str]:
    """A photo's captions, and the same packed, from the parts they came in."""
    captions = [caption for part in parts for caption in unpack_captions(part)]
    ordered = sorted(captions, key=lambda c: (c.number, c.text, c.where))
    if len(parts) == 1 and ordered == captions:
        return captions, parts[0]
    return ordered, pack_captions(ordered)


def problem_of_text(
    captions: list[Caption], splits: list[str], paths: list[str]
) -> tuple[str, str] | None:
    """Reason and detail, the first that applies."""
    if len(splits) > 1:
        return "in_two_splits", f"listed in {' and '.join(splits)}"
    if len(paths) > 1:
        return "two_paths", f"said to lie at {' and '.join(paths)}"
    if not captions:
        return "no_caption", "no usable caption"
    if not splits:
        return "in_no_split", "in none of the splits"
    if splits[0] not in shards.SPLITS:
        expected = ", ".join(shards.SPLITS)
        return "unknown_split", f"in split {splits[0]!r}; expected one of {expected}"
    return None


def make_plan(
    counts: Iterable[tuple[str, int]],
    photos: Iterable[tuple[str, int]],
    settings: TokenizerSettings,
    photos_per_shard: int,
) -> Plan:
    """Vocabulary and number of shards, from all counts.

    Args:
        counts: (word, how often) over the captions of the training list.
        photos: (split, how many photos).

    Raises:
        UserError: the settings leave no vocabulary, or do not suit the script.
    """
    counts, photos = dict(counts), dict(photos)
    unspaced = unspaced_words(counts) / max(1, sum(counts.values()))
    if settings.kind == "word" and unspaced > MOSTLY:
        raise UserError(
            f"{unspaced:.0%} of the training captions' words are in a script without "
            "spaces, where `kind: word` makes a word of each clause; set "
            "tokenizer.kind=char, or tokenizer.kind=wordpiece"
        )
    vocabulary = Tokenizer(settings).learn(counts)
    cut = {s: shards.shard_count(n, photos_per_shard) for s, n in photos.items()}
    return Plan(vocabulary.tokens, cut, sum(photos.values()), unspaced)


def add_tokens(
    photos: list[Photo], settings: TokenizerSettings, vocabulary: Vocabulary
) -> list[Photo]:
    """The same photos, their captions with tokens: all at once, for it is one graph."""
    captions = [caption for photo in photos for caption in photo.captions]
    words = [caption.words for caption in captions]
    rows = iter(Tokenizer(settings).tokens(words, vocabulary))
    return [
        photo._replace(
            captions=tuple(Caption(*c[:5], tuple(next(rows))) for c in photo.captions)
        )
        for photo in photos
    ]
