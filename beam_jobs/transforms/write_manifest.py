"""Adds up a build, checks the sums, writes vocabulary, rejects and manifest."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import TypeVar

from beam_jobs.build_job import Job
from beam_jobs.elements import Plan
from beam_jobs.io.beam_storage import FileDoFn
from beam_jobs.io.output_directory import remove_leftovers, remove_reports, remove_text
from beam_jobs.transforms.check_plan import Rejected, check_rejects, record_rejects
from beam_jobs.transforms.shard_sums import ShardSums
from beam_jobs.transforms.write_shard import ShardReport
from records.format import sharding
from records.format.manifest import (
    FORMAT,
    STORED_ORDER,
    DroppedWords,
    FeatureStatistics,
    Manifest,
    Statistics,
)
from records.format.rejects import Reject
from records.text import vocabulary
from records.text.vocabulary import Vocabulary

EXAMPLES = 10  # of the words dropped for a reason

Key = TypeVar("Key", int, str)


class Finish(FileDoFn):
    """Anything -> path of the manifest; takes the whole build as side inputs.

    Raises:
        UserError: too many photos were rejected, or no training photo is left. The
            output is then no record set, but finished shards stay for another try.
    """

    def __init__(self, job: Job):
        self.job = job

    def process(
        self,
        _,
        plan: Plan,
        reports: Iterable[str],
        rejects: Iterable[Reject],
        taken: dict[str, int],
        dropped: Iterable[tuple[tuple[str, str], int]],
    ):
        rejected = record_rejects(self.job.output, rejects)
        with ShardSums() as sums:
            parsed = map(ShardReport.model_validate_json, reports)
            shards = sorted(map(sums.take, parsed), key=by_split_and_name)
            statistics = add_up(shards, rejected, taken, add_up_dropped(dropped), plan)
            check_sums(statistics)
            training = sum(r.shard.photos for r in shards if r.split == "train")
            check_rejects(rejected, statistics.photos_in, training, self.job)
            moments = sums.moments()
        manifest = make_manifest(self.job, plan, shards, statistics, moments)
        self.write(Vocabulary(plan.tokens), manifest)
        yield self.job.output

    def write(self, words: Vocabulary, manifest: Manifest) -> None:
        """Writes the vocabulary and, last, the manifest; removes temporary files."""
        output = self.job.output
        words.save(os.path.join(output, vocabulary.FILE_NAME))
        kept = {shard.name for held in manifest.shards.values() for shard in held}
        remove_leftovers(output, sharding.SHARD_NAME, kept)
        remove_text(output)  # gigabytes, which no later job would remove
        manifest.save(output)
        remove_reports(output)


def by_split_and_name(report: ShardReport) -> tuple[int, str]:
    return sharding.SPLITS.index(report.split), report.shard.name


def add_up(
    reports: list[ShardReport],
    rejected: Rejected,
    taken: Mapping[str, int],
    dropped: dict[str, DroppedWords],
    plan: Plan,
) -> Statistics:
    return Statistics(
        photos_in=taken["photos"],
        photos_written=sum(report.shard.photos for report in reports),
        rejected_photos=in_order(rejected.photos),
        captions_in=taken["captions"],
        captions_written=sum(report.shard.captions for report in reports),
        rejected_captions=in_order(rejected.captions),
        tokens=sum(report.tokens for report in reports),
        out_of_vocabulary=sum(report.out_of_vocabulary for report in reports),
        caption_lengths=in_order(total(r.caption_lengths for r in reports)),
        photo_formats=in_order(total(r.photo_formats for r in reports)),
        words_in=taken["words"],
        words_kept=taken["words_kept"],
        dropped_words=dropped,
        unspaced_fraction=plan.unspaced_fraction,
        longest_by_split=longest_by_split(reports),
        equal_captions=has_equal_captions(reports),
        uncaptioned_files=uncaptioned_files(taken),
    )


def uncaptioned_files(taken: Mapping[str, int]) -> int:
    """Returns the number of files without a photo; a file may have several ids."""
    return max(0, taken.get("files", 0) - taken.get("files_used", 0))


def longest_by_split(reports: list[ShardReport]) -> dict[str, int]:
    longest: dict[str, int] = defaultdict(int)
    for report in reports:
        longest[report.split] = max(longest[report.split], *report.caption_lengths, 0)
    return dict(longest)


def has_equal_captions(reports: list[ShardReport]) -> bool:
    """Returns True if there are several training captions and all have the same ids."""
    training = [report for report in reports if report.split == "train"]
    distinct = {tuple(ids) for report in training for ids in report.distinct}
    return len(distinct) == 1 and sum(r.shard.captions for r in training) > 1


def add_up_dropped(
    counts: Iterable[tuple[tuple[str, str], int]],
) -> dict[str, DroppedWords]:
    """Returns the dropped words by reason, from ((reason, word), how often).

    Only the examples are held in memory, because there may be many distinct numbers.
    """
    sums: Counter[str] = Counter()
    frequent: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for (reason, word), count in counts:
        sums[reason] += count
        ranked = sorted([*frequent[reason], (-count, word)])
        frequent[reason] = ranked[:EXAMPLES]
    return {
        reason: DroppedWords(
            count=sums[reason], examples=[(w, -n) for n, w in frequent[reason]]
        )
        for reason in sorted(sums)
    }


def check_sums(statistics: Statistics) -> None:
    for what, kept, lost in (
        ("photos", "written", "rejected"),
        ("captions", "written", "rejected"),
        ("words", "kept", "dropped"),
    ):
        numbers = {name: getattr(statistics, f"{what}_{name}") for name in (kept, lost)}
        check_sum(what, getattr(statistics, f"{what}_in"), numbers)


def check_sum(what: str, taken: int, parts: Mapping[str, int]) -> None:
    """Raises RuntimeError unless the parts, counted apart, add up to the inputs."""
    if taken != sum(parts.values()):
        counts = " and ".join(f"{number} {name}" for name, number in parts.items())
        raise RuntimeError(
            f"{taken} {what} in, but {counts}: a defect of the job; its output is not "
            "complete"
        )


def make_manifest(
    job: Job,
    plan: Plan,
    reports: list[ShardReport],
    statistics: Statistics,
    moments: FeatureStatistics,
) -> Manifest:
    words = Vocabulary(plan.tokens)
    held = {
        split: [report.shard for report in reports if report.split == split]
        for split in sharding.SPLITS
    }
    return Manifest(
        format=FORMAT,
        shards=held,
        features=job.features,
        moments=moments,
        encoder=job.encoder,
        tokenizer=job.config.tokenizer.model_dump(),
        vocabulary_sha256=words.digest,
        vocabulary_size=len(words),
        longest_caption=statistics.longest_caption,
        statistics=statistics,
        configuration=job.config.model_dump(mode="json"),
        sources=sources(job, plan),
    )


def sources(job: Job, plan: Plan) -> dict[str, str]:
    names = {"source": job.source.name, "photos": job.photos, **job.source.files()}
    if job.split_fractions:
        names["split_fractions"] = ",".join(map(str, job.split_fractions))
    if plan.ranges:
        names["order"] = STORED_ORDER
    return names


def total(counts: Iterable[Mapping[Key, int]]) -> Counter[Key]:
    return sum(map(Counter, counts), Counter())


def in_order(counts: Counter[Key]) -> dict[Key, int]:
    """Returns the positive counts, sorted by key."""
    return dict(sorted((+counts).items()))
