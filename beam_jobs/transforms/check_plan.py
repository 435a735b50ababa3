"""Decides whether a build continues: too many rejects, or no training photo left.

The text and the list of files are known before a photo is read. So a build that must
fail because of them fails then, and not after everything is encoded. `rejects.jsonl`
lists the rejects whether or not the build succeeds.
"""

import math
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from beam_jobs.build_job import Job
from beam_jobs.elements import Plan
from beam_jobs.io.beam_storage import FileDoFn
from beam_jobs.io.output_directory import write_rejects
from beam_jobs.transforms.shard_plan import Sizes, plan_shards
from beam_jobs.transforms.tokenize import make_vocabulary
from records.errors import UserError
from records.format import rejects as rejects_file
from records.format.rejects import Reject
from records.text.tokenizer_config import TokenizerSettings
from records.wording import counted

TRAIN = "train"
SHOWN = 120  # characters of an example's detail
UNMATCHED = ("in_no_split", "no_caption")  # photos in captions or in splits only


class MakePlan(FileDoFn):
    """Anything -> Plan; its side inputs are known before the first photo is read.

    Raises:
        UserError: too many photos were rejected, no training photo is left, or there
            is no vocabulary. `rejects.jsonl` is written before.
    """

    def __init__(self, job: Job):
        self.job = job

    def process(
        self,
        _,
        words: list[tuple[str, int]],
        sizes: Sizes,
        rejects: Iterable[Reject],
        taken: dict[str, int],
    ):
        rejected = record_rejects(self.job.output, rejects)
        training = sum(n for (split, _), n in sizes.items() if split == TRAIN)
        check_rejects(rejected, taken["photos"], training, self.job)
        config = self.job.config
        per_shard = config.records.photos_per_shard
        yield make_plan(dict(words), sizes, config.tokenizer, per_shard)


def make_plan(
    counts: Mapping[str, int],
    photos: Sizes,
    settings: TokenizerSettings,
    photos_per_shard: int,
) -> Plan:
    """Returns the vocabulary and the number of shards of each split.

    Args:
        counts: word -> how often, over the captions of the training list.
        photos: how many there are, by split and container.
        settings: the tokenizer's.
        photos_per_shard: at most.

    Raises:
        UserError: the settings leave no vocabulary, or do not suit the script.
    """
    vocabulary, unspaced = make_vocabulary(counts, settings)
    shards, ranges = plan_shards(photos, photos_per_shard)
    return Plan(vocabulary.tokens, shards, sum(photos.values()), unspaced, ranges)


class Rejected:
    """Counts of rejects by reason; there may be millions of rejects.

    Attributes:
        rejects, photos, captions: how many, by reason.
        first: the first of each reason, by place.
    """

    def __init__(self) -> None:
        self.rejects: Counter[str] = Counter()
        self.photos: Counter[str] = Counter()
        self.captions: Counter[str] = Counter()
        self.first: dict[str, Reject] = {}

    def counting(self, rejects: Iterable[Reject]) -> Iterator[Reject]:
        """Yields rejects as they are, and counts them."""
        for reject in rejects:
            self.rejects[reject.reason] += 1
            self.photos[reject.reason] += reject.what == "photo"
            self.captions[reject.reason] += reject.captions
            first = self.first.get(reject.reason, reject)
            self.first[reject.reason] = min(first, reject, key=by_place)
            yield reject

    def reasons(self) -> list[str]:
        """Returns the reasons, the commonest first."""
        return sorted(self.rejects, key=lambda reason: (-self.rejects[reason], reason))


def record_rejects(output: str, rejects: Iterable[Reject]) -> Rejected:
    """Writes `rejects.jsonl`; returns its counts."""
    rejected = Rejected()
    write_rejects(output, rejected.counting(rejects))
    return rejected


def check_rejects(rejected: Rejected, photos: int, training: int, job: Job) -> None:
    """Raises UserError if too few photos are left.

    Args:
        rejected: so far.
        photos: that came in.
        training: of the training list, not rejected so far.
    """
    listed = os.path.join(job.output, rejects_file.FILE_NAME)
    if not training:
        each = f"{listed} names each; " if rejected.rejects else ""
        raise UserError(
            f"no training photo is left{after(rejected)}. {each}{remedy(rejected, job)}"
        )
    lost = rejected.photos.total()
    fraction = lost / photos
    if fraction > job.max_reject_fraction:
        raise UserError(
            f"{lost} of {photos} photos were rejected, more than "
            f"--max_reject_fraction {job.max_reject_fraction:g} allows"
            f"{after(rejected)}. {listed} names each; if that is as it should be, run "
            "the same command with --max_reject_fraction "
            f"{math.ceil(fraction * 100) / 100:g}: what is finished is not encoded "
            "again"
        )


def after(rejected: Rejected) -> str:
    """Describes the rejects by reason, with the first example of each."""
    reasons = rejected.reasons()
    if not reasons:
        return ": no photo is in split train"
    return "; rejected: " + "; ".join(describe(reason, rejected) for reason in reasons)


def remedy(rejected: Rejected, job: Job) -> str:
    """Returns what to do if no training photo is left."""
    reasons = rejected.rejects
    if job.split_fractions and not reasons:
        return "take more photos, or a larger part for train in --split_fractions"
    names = [one_line(rejected.first[r].where) for r in UNMATCHED if r in reasons]
    if len({"/" in name for name in names}) > 1:
        return (
            "captions name photos as {}, splits as {}; name them in both with the "
            "folder, or in both without".format(*names)
        )
    if not reasons or "in_no_split" in reasons:
        return (
            "name the photos of split train, or leave splits out everywhere and add "
            "--split_fractions 0.9,0.05,0.05"
        )
    return "check --photos, --captions and the splits"


def describe(reason: str, rejected: Rejected) -> str:
    """Describes a reason, as in 'no_caption 1 photo, e.g. a.jpg: none'."""
    photos, captions = rejected.photos[reason], rejected.captions[reason]
    numbers = [counted(photos, "photo")] * (photos > 0)
    numbers += [counted(captions, "caption")] * (captions > 0)
    first = rejected.first[reason]
    where, detail = one_line(first.where), one_line(first.detail or "''")
    shown = detail if len(detail) <= SHOWN else f"{detail[:SHOWN]}..."
    return f"{reason} {' and '.join(numbers)}, e.g. {where}: {shown}"


def by_place(reject: Reject) -> tuple:
    return natural(reject.where), reject


def natural(text: str) -> list[str | tuple[int, str]]:
    """Returns a key by which line 9 comes before line 10."""
    parts = re.split("([0-9]+)", text)
    return [(len(p), p) if i % 2 else p for i, p in enumerate(parts)]


def one_line(text: str) -> str:
    """Returns text on one line, because a message ends with its line.

    Workers pass messages as text; some write a line's end as a backslash and an n.
    """
    readable = (c if c.isprintable() else " " for c in text.replace("\\n", " "))
    return " ".join("".join(readable).split())
