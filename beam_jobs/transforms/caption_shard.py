"""Writes one shard of captions: reads photos in batches, captions, writes, renames."""

import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from beam_jobs.elements import Photo, SourceFile
from beam_jobs.io import output_directory
from beam_jobs.io.beam_storage import FileDoFn
from beam_jobs.io.output_directory import Report
from beam_jobs.io.photo_files import reject_photo
from beam_jobs.io.photo_reader import PhotoReader
from beam_jobs.monitoring import progress
from beam_jobs.monitoring.counters import counter
from beam_jobs.transforms.check_plan import Rejected, after, record_rejects
from beam_jobs.transforms.shard_step import ShardStep
from beam_jobs.transforms.write_manifest import check_sum
from records.batching import batched
from records.errors import UserError
from records.format import rejects
from records.format.rejects import Reject
from records.frozen_model import FrozenModel
from records.storage.files import (
    as_utf8,
    file_digest,
    file_sizes,
    read_file,
    write_atomically,
    write_text,
)
from records.storage.local_copy import lasting_local_copy
from tfcap.inference.captioner import Captioner, caption_within
from tfcap.memory import named_memory_errors

SHARD_NAME = re.compile(r"captions-\d{5}-of-\d{5}\.jsonl")


@dataclass(frozen=True)
class CaptionJob:
    """The settings of one run; every worker gets them.

    Attributes:
        model: directory of the export.
        model_digest: of its files.
        photos: the pattern.
        output: directory of the captions.
        shards: how many files they are cut into.
        batch: photos captioned at a time.
    """

    model: str
    model_digest: str
    photos: str
    output: str
    shards: int
    batch: int


class CaptionReport(Report):
    """The contents of a finished shard of captions.

    Attributes:
        shard: its name.
        captions: its lines.
    """

    shard: str
    captions: int

    @property
    def photos_written(self) -> int:
        return self.captions


class Summary(FrozenModel):
    """`summary.json`: photos in = captioned + rejected.

    Attributes:
        photos_in: files that the pattern matched.
        captioned: lines in all shards together.
        rejected: photos without a caption, by reason.
        shards: name -> lines.
        model_sha256: digest of the export's files.
    """

    photos_in: int
    captioned: int
    rejected: dict[str, int]
    shards: dict[str, int]
    model_sha256: str

    @staticmethod
    def file_name() -> str:
        return "summary.json"

    def save(self, directory: str) -> None:
        content = self.model_dump_json(indent=1) + "\n"
        write_text(os.path.join(directory, self.file_name()), content)

    @classmethod
    def load(cls, directory: str) -> "Summary":
        path = os.path.join(directory, cls.file_name())
        return cls.model_validate_json(read_file(path))


@functools.lru_cache(maxsize=1)
def load_captioner(model: str) -> Captioner:
    """Loads the export, once per process; TensorFlow reads none that is elsewhere."""
    return Captioner(lasting_local_copy(model))


def model_digest(model: str) -> str:
    """Returns the SHA-256 over the names and bytes of an export's files."""
    digest, model = hashlib.sha256(), lasting_local_copy(model)
    for name in file_sizes(model, nested=True):
        path = os.path.join(model, name)
        digest.update(f"{as_utf8(name)}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


class CaptionShard(ShardStep):
    """(shard, photos) -> CaptionReport as JSON; output `rejected` -> Reject.

    Args:
        job: the run.
        captioner_for: loads the model, once per process.
    """

    report_type = CaptionReport

    def __init__(
        self,
        job: CaptionJob,
        captioner_for: Callable[[str], Captioner] = load_captioner,
    ):
        super().__init__(job.output)
        self.job = job
        self.captioner_for = captioner_for
        self.captioned = counter("photos_captioned")

    def setup(self) -> None:
        super().setup()
        self.captioner = self.captioner_for(self.job.model)

    def process(self, keyed: tuple[int, Iterable[SourceFile | None]], photos_in: int):
        index, files = keyed
        files = sorted(file for file in files if file is not None)
        name = f"captions-{index:05d}-of-{self.job.shards:05d}.jsonl"
        plan = self.plan(files)
        progress.start(photos_in, "captioning")
        report = self.finished_or_new(
            name, plan, len(files), lambda: self.write(name, files, plan)
        )
        yield from self.outputs(report)

    def plan(self, files: list[SourceFile]) -> str:
        """Returns a digest of all that decides the shard, but for the photos' bytes."""
        content = json.dumps([files, self.job.model_digest, self.job.batch])
        return hashlib.sha256(content.encode()).hexdigest()

    def write(self, name: str, files: list[SourceFile], plan: str) -> CaptionReport:
        rejects: list[Reject] = []
        lines = list(self.caption(files, rejects))
        content = "".join(lines).encode()
        write_atomically(os.path.join(self.job.output, name), content)
        return CaptionReport(
            plan=plan,
            size=len(content),
            rejects=rejects,
            shard=name,
            captions=len(lines),
        )

    def caption(self, files: list[SourceFile], rejects: list[Reject]) -> Iterator[str]:
        """Yields a line per captioned photo, in order; appends to `rejects`."""
        for batch in batched(files, self.job.batch):
            readable, rejected = PhotoReader().read_batch(
                [Photo(f[0], "", f, ()) for f in batch]
            )
            photos = [content for _, content, _ in readable]
            with named_memory_errors(f"lower --batch, {self.job.batch} now"):
                results = caption_within(self.captioner, photos)
            for (photo, *_), result in zip(readable, results, strict=True):
                if result.error:
                    rejected.append(reject_photo(photo, "corrupt_photo", result.error))
                else:
                    yield caption_line(photo, result.caption, result.score)
            rejects.extend(rejected)
            self.captioned.inc(len(batch) - len(rejected))
            progress.advance(len(batch), len(rejected))


class FinishCaptions(FileDoFn):
    """Anything -> Summary, written last; takes the whole run as side inputs."""

    def __init__(self, job: CaptionJob):
        self.job = job

    def process(
        self, _, reports: Iterable[str], rejects: Iterable[Reject], photos_in: int
    ):
        rejected = record_rejects(self.job.output, rejects)
        parsed = map(CaptionReport.model_validate_json, reports)
        captions = dict(sorted((report.shard, report.captions) for report in parsed))
        summary = Summary(
            photos_in=photos_in,
            captioned=sum(captions.values()),
            rejected=dict(sorted(rejected.rejects.items())),
            shards=captions,
            model_sha256=self.job.model_digest,
        )
        check_sum(
            "photos",
            photos_in,
            {"captioned": summary.captioned, "rejected": rejected.rejects.total()},
        )
        check_rejects(summary, rejected, self.job)
        output_directory.remove_leftovers(self.job.output, SHARD_NAME, summary.shards)
        summary.save(self.job.output)
        output_directory.remove_reports(self.job.output)
        yield summary


def check_rejects(summary: Summary, rejected: Rejected, job: CaptionJob) -> None:
    """Raises UserError where no photo has a caption."""
    if not summary.captioned:
        listed = os.path.join(job.output, rejects.FILE_NAME)
        raise UserError(
            f"none of {summary.photos_in} photos has a caption{after(rejected)}. "
            f"{listed} names each. Put the photos right, or name others with --photos, "
            "and run the same command again"
        )


def caption_line(photo: Photo, caption: str, score: float) -> str:
    """Returns one line of JSON; a float32 score holds six digits."""
    content = {"photo": photo.photo_id, "caption": caption, "score": round(score, 6)}
    return json.dumps(content, ensure_ascii=False) + "\n"
