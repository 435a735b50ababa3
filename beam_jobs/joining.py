"""Text steps: tokenize captions, join them with splits and files, plan the shards."""

from collections import Counter
from collections.abc import Iterable

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.transforms.window import GlobalWindows

from beam_jobs.elements import REJECTED, Caption, Photo, PhotoFile, Plan, Reject
from beam_jobs.packing import pack_captions, pack_photo, unpack_captions
from records import shards
from records.tokenizer import Tokenizer
from records.tokenizer_settings import TokenizerSettings
from records.vocabulary import Vocabulary

TRAINING_WORD = "training_word"


class TokenizeCaptions(beam.DoFn):
    """Batch of Caption -> (photo id, its captions with words, packed), or `rejected`.

    A source has a photo's captions one after another: to send them on together spares
    the join most of its work.
    """

    def __init__(self, settings: TokenizerSettings):
        self.settings = settings

    def setup(self):
        self.tokenizer = Tokenizer(self.settings)

    def process(self, captions: list[Caption]):
        rows = self.tokenizer.words([caption.text for caption in captions])
        found = {}
        for caption, words in zip(captions, rows, strict=True):
            if words:
                caption = caption._replace(words=tuple(words))
                found.setdefault(caption.photo_id, []).append(caption)
            else:
                yield beam.pvalue.TaggedOutput(
                    REJECTED,
                    Reject("caption", caption.where, "no_word_left", caption.text, 1),
                )
        for photo_id, own in found.items():
            yield photo_id, pack_captions(own)


class JoinPhoto(beam.DoFn):
    """(photo id, its captions, splits, files and paths) -> PackedPhoto, or `rejected`.

    Where the source names the photo's path, the file must lie there.

    Output `training_word` has (word, how often) over the training list's captions,
    whether or not the photo's file turns out to be there. Words are counted here, a
    bundle at a time: sent on one by one they cost more than all the rest of the text.
    """

    def __init__(self, directory: str):
        self.directory = directory

    def start_bundle(self):
        self.words = Counter()

    def finish_bundle(self):
        for count in self.words.items():
            value = GlobalWindows.windowed_value(count)
            yield beam.pvalue.TaggedOutput(TRAINING_WORD, value)

    def process(self, joined: tuple[str, dict[str, Iterable]]):
        photo_id, parts = joined
        captions, packed = in_order(list(parts["captions"]))
        splits, paths = sorted(set(parts["splits"])), sorted(set(parts["paths"]))
        files = self.at_paths(list(parts["files"]), paths)
        if splits == ["train"]:
            for caption in captions:
                self.words.update(caption.words)
        problem = problem_of_text(captions, splits, paths) or self.problem_of_files(
            files, paths or [photo_id]
        )
        if problem:
            reject = Reject("photo", photo_id, *problem, len(captions))
            yield beam.pvalue.TaggedOutput(REJECTED, reject)
        else:
            yield pack_photo(splits[0], files[0], packed)

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


def in_order(parts: list[bytes]) -> tuple[list[Caption], bytes]:
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
        UserError: the settings leave no vocabulary.
    """
    vocabulary = Tokenizer(settings).learn(dict(counts))
    photos = dict(photos)
    cut = {s: shards.shard_count(n, photos_per_shard) for s, n in photos.items()}
    return Plan(vocabulary.tokens, cut, sum(photos.values()))


def add_tokens(
    photos: list[Photo], settings: TokenizerSettings, vocabulary: Vocabulary
) -> list[Photo]:
    """The same photos, their captions with tokens: all at once, for it is one graph."""
    captions = [caption for photo in photos for caption in photo.captions]
    words = [caption.words for caption in captions]
    rows = iter(Tokenizer(settings).tokens(words, vocabulary))
    return [
        photo._replace(
            captions=tuple(c._replace(tokens=tuple(next(rows))) for c in photo.captions)
        )
        for photo in photos
    ]
