"""Text steps: tokenize captions, join them with splits and files, plan the shards."""

from collections.abc import Iterable

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from beam_jobs.elements import REJECTED, Caption, Photo, PhotoFile, Plan, Reject
from records import shards
from records.errors import UserError
from records.tokenizer import Tokenizer, TokenizerSettings
from records.vocabulary import Vocabulary

TRAINING_WORD = "training_word"


class TokenizeCaptions(beam.DoFn):
    """Batch of Caption -> Caption with words; output `rejected` if none is left."""

    def __init__(self, settings: TokenizerSettings):
        self.settings = settings

    def setup(self):
        self.tokenizer = Tokenizer(self.settings)

    def process(self, captions: list[Caption]):
        rows = self.tokenizer([caption.text for caption in captions])
        for caption, words in zip(captions, rows, strict=True):
            if words:
                yield caption._replace(words=tuple(words))
            else:
                yield beam.pvalue.TaggedOutput(
                    REJECTED,
                    Reject("caption", caption.where, "no_word_left", caption.text, 1),
                )


class JoinPhoto(beam.DoFn):
    """(photo id, its captions, splits, files and paths) -> Photo, or `rejected`.

    Where the source names the photo's path, the file must lie there.

    Output `training_word` has every word of the training list's captions, whether or
    not the photo's file turns out to be there.
    """

    def __init__(self, directory: str):
        self.directory = directory

    def process(self, joined: tuple[str, dict[str, Iterable]]):
        photo_id, parts = joined
        captions = sorted(parts["captions"], key=lambda c: (c.number, c.text, c.where))
        splits, paths = sorted(set(parts["splits"])), sorted(set(parts["paths"]))
        files = self.at_paths(list(parts["files"]), paths)
        if splits == ["train"]:
            for caption in captions:
                for word in caption.words:
                    yield beam.pvalue.TaggedOutput(TRAINING_WORD, word)
        problem = problem_of_text(captions, splits, paths) or self.problem_of_files(
            files, paths or [photo_id]
        )
        if problem:
            reject = Reject("photo", photo_id, *problem, len(captions))
            yield beam.pvalue.TaggedOutput(REJECTED, reject)
        else:
            yield Photo(photo_id, splits[0], files[0], tuple(captions))

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
        UserError: no word is frequent enough.
    """
    counts, photos = dict(counts), dict(photos)
    unknown = settings.oov == "unk"
    vocabulary = Vocabulary.from_counts(counts, settings.min_count, unknown)
    if len(vocabulary) <= len(Vocabulary.from_counts({}, 1, unknown)):
        raise UserError(
            f"none of the {len(counts)} distinct words in the training captions "
            f"occurs {settings.min_count} times or more, so the vocabulary is empty; "
            "check the training list, or lower tokenizer.min_count"
        )
    cut = {s: shards.shard_count(n, photos_per_shard) for s, n in photos.items()}
    return Plan(vocabulary.tokens, cut, sum(photos.values()))


def assign_shard(photo: Photo, plan: Plan) -> tuple[tuple[str, int], Photo]:
    """Keys a photo by (split, shard)."""
    index = shards.shard_of(photo.photo_id, plan.shards[photo.split])
    return (photo.split, index), photo


def all_shards(plan: Plan) -> list[tuple[tuple[str, int], None]]:
    """Every (split, shard): one that no photo falls into is written all the same."""
    return [
        ((split, index), None)
        for split, count in plan.shards.items()
        for index in range(count)
    ]
