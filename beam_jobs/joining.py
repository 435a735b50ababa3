"""Text steps: tokenize captions, join them with splits and files, plan the shards."""

from collections.abc import Iterable

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from beam_jobs.elements import Caption, Photo, PhotoFile, Plan, Reject
from beam_jobs.flickr8k import REJECTED
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
    """(photo id, its captions, splits and files) -> Photo, or `rejected`.

    Output `training_word` has every word of the training list's captions, whether or
    not the photo's file turns out to be there.
    """

    def __init__(self, directory: str):
        self.directory = directory

    def process(self, joined: tuple[str, dict[str, Iterable]]):
        photo_id, parts = joined
        captions = sorted(parts["captions"], key=lambda c: (c.number, c.text, c.where))
        splits, files = sorted(set(parts["splits"])), list(parts["files"])
        if splits == ["train"]:
            for caption in captions:
                for word in caption.words:
                    yield beam.pvalue.TaggedOutput(TRAINING_WORD, word)
        problem = self.problem(photo_id, captions, splits, files)
        if problem:
            reject = Reject("photo", photo_id, *problem, len(captions))
            yield beam.pvalue.TaggedOutput(REJECTED, reject)
        else:
            yield Photo(photo_id, splits[0], files[0], tuple(captions))

    def problem(
        self, photo_id: str, captions: list, splits: list, files: list[PhotoFile]
    ) -> tuple[str, str] | None:
        """Reason and detail, the first that applies."""
        if len(splits) > 1:
            return "in_two_splits", f"listed in {' and '.join(splits)}"
        if not captions:
            return "no_caption", "no usable line in the caption file"
        if not splits:
            return "in_no_split", "in none of the split lists"
        if not files:
            path = FileSystems.join(self.directory, photo_id)
            if FileSystems.exists(path):
                return "not_a_file", f"{path} is a directory"
            return "photo_missing", f"no file {path}"
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
