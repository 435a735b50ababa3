"""Whether a build may go on: what was rejected, and what is left to train on.

The join knows all that the text and the list of files can tell, before a photo is read.
So a build that must fail for it fails then, and not when everything is encoded; what
was rejected lies in `rejects.jsonl` whatever becomes of the build.
"""

import math
import os
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

import apache_beam as beam

from beam_jobs.elements import Job, Reject
from beam_jobs.joining import make_plan
from beam_jobs.output_folder import write_rejects
from records import rejects as rejects_file
from records.errors import UserError

TRAIN = "train"
SHOWN = 120  # characters of an example's detail


class MakePlan(beam.DoFn):
    """Anything -> Plan; takes all that is known before the first photo is read.

    Raises:
        UserError: too many photos were rejected, no training photo is left, or there
            is no vocabulary. `rejects.jsonl` is there by then.
    """

    def __init__(self, job: Job):
        self.job = job

    def process(
        self,
        _,
        words: list[tuple[str, int]],
        sizes: dict[str, int],
        rejects: list[Reject],
        taken: dict[str, int],
    ):
        write_rejects(self.job.output, rejects)
        check_rejects(rejects, taken["photos"], sizes.get(TRAIN, 0), self.job)
        config = self.job.config
        per_shard = config.records.photos_per_shard
        yield make_plan(words, sizes.items(), config.tokenizer, per_shard)


def check_rejects(
    rejects: Sequence[Reject], photos: int, training: int, job: Job
) -> None:
    """Raises UserError where the rest is too little.

    Args:
        rejects: so far.
        photos: that came in.
        training: of the training list, not rejected so far.
    """
    listed = os.path.join(job.output, rejects_file.FILE_NAME)
    if not training:
        each = f"{listed} names each; " if rejects else ""
        raise UserError(
            f"no training photo is left{after(rejects)}. {each}{remedy(rejects, job)}"
        )
    rejected = sum(reject.what == "photo" for reject in rejects)
    fraction = rejected / photos
    if fraction > job.max_reject_fraction:
        raise UserError(
            f"{rejected} of {photos} photos were rejected, more than "
            f"--max_reject_fraction {job.max_reject_fraction:g} allows{after(rejects)}."
            f" {listed} names each; if that is as it should be, run the same command "
            f"with --max_reject_fraction {math.ceil(fraction * 100) / 100:g}: what is "
            "finished is not encoded again"
        )


def after(rejects: Sequence[Reject]) -> str:
    """Says what was rejected, by reason, with the first example of each."""
    reasons = by_reason(rejects)
    if not reasons:
        return ": no photo is in split train"
    return "; rejected: " + "; ".join(
        describe(reason, found) for reason, found in reasons.items()
    )


def remedy(rejects: Sequence[Reject], job: Job) -> str:
    """Says what to do where no training photo is left."""
    if job.split_fractions and not rejects:
        return "take more photos, or a larger part for train in --split_fractions"
    if not rejects or any(reject.reason == "in_no_split" for reject in rejects):
        return (
            "name the photos of split train, or leave splits out everywhere and add "
            "--split_fractions 0.9,0.05,0.05"
        )
    return "check --photos, --captions and the splits"


def by_reason(rejects: Sequence[Reject]) -> Mapping[str, list[Reject]]:
    """Returns the rejects of each reason by place, the commonest reason first."""
    found = defaultdict(list)
    for reject in sorted(rejects, key=lambda one: (natural(one.where), one)):
        found[reject.reason].append(reject)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def describe(reason: str, rejects: Sequence[Reject]) -> str:
    """One reason: how many, and the first.

    >>> describe("no_caption", [Reject("photo", "a.jpg", "no_caption", "none", 0)])
    'no_caption 1 photo, e.g. a.jpg: none'
    """
    photos = sum(reject.what == "photo" for reject in rejects)
    captions = sum(reject.captions for reject in rejects)
    numbers = [counted(photos, "photo")] * (photos > 0)
    numbers += [counted(captions, "caption")] * (captions > 0)
    where, detail = one_line(rejects[0].where), one_line(rejects[0].detail or "''")
    shown = detail if len(detail) <= SHOWN else f"{detail[:SHOWN]}..."
    return f"{reason} {' and '.join(numbers)}, e.g. {where}: {shown}"


def natural(text: str) -> list[str | tuple[int, str]]:
    """Returns a key by which line 9 comes before line 10."""
    parts = re.split("([0-9]+)", text)
    return [(len(p), p) if i % 2 else p for i, p in enumerate(parts)]


def one_line(text: str) -> str:
    """Returns text that can stand in a message, which ends where a line does.

    Workers pass a message on as text, some with a line's end as a backslash and an n.
    """
    readable = (c if c.isprintable() else " " for c in text.replace("\\n", " "))
    return " ".join("".join(readable).split())


def counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
