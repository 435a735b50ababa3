"""The three stages of a build: read the text, join it to photos, write the records.

Elements hold paths and counts only, so the graph and what a runner groups do not grow
with the captions. `no_annotations`: Beam warns of types that it does not know.
"""

from collections.abc import Callable
from typing import NamedTuple

import apache_beam as beam
from apache_beam.pvalue import AsDict, AsIter, AsList, AsSingleton, PBegin, PCollection
from apache_beam.typehints.decorators import no_annotations

from beam_jobs.build_job import Job
from beam_jobs.elements import REJECTED
from beam_jobs.monitoring.counters import CountRejects
from beam_jobs.transforms.assign_shards import WriteShards
from beam_jobs.transforms.check_plan import MakePlan
from beam_jobs.transforms.join_photos import SPLIT_SIZE, TRAINING_WORD, JoinPhotos
from beam_jobs.transforms.read_captions import (
    DROPPED,
    INPUT_COUNT,
    ReadText,
    WriteFacts,
    file_facts,
)
from beam_jobs.transforms.reuse_features import earlier_places
from beam_jobs.transforms.write_manifest import Finish
from tfcap.config.experiment import EncoderConfig
from tfcap.encoders import Encoder


class Facts(NamedTuple):
    """The collections of `ReadFacts`.

    Attributes:
        facts: (partition, Block of facts).
        rejects: Reject.
        inputs: (`photos`, `captions`, `words` or `words_kept`, how many).
        dropped: ((reason, word), how often); a pair once.
    """

    facts: PCollection
    rejects: PCollection
    inputs: PCollection
    dropped: PCollection


class ReadFacts(beam.PTransform):
    """Captions, splits, the photo directory and `--reuse` -> Facts."""

    def __init__(self, job: Job):
        super().__init__()
        self.job = job

    @no_annotations  # Beam warns of a tuple of collections
    def expand(self, begin: PBegin) -> Facts:
        job, pipeline = self.job, begin.pipeline
        # (partition, Block), and by tag Reject, (name, count), ((reason, word), count)
        texts = (
            pipeline
            | "inputs" >> beam.Create(job.source.to_read())
            | "read text"
            >> beam.ParDo(ReadText(job)).with_outputs(
                REJECTED, INPUT_COUNT, DROPPED, main="ok"
            )
        )
        # (partition, Block)
        directories = [] if job.source.holds_photos else [job.photos]
        files = (
            pipeline
            | "photo directory" >> beam.Create(directories)
            | "list photos" >> beam.ParDo(WriteFacts(job.output, file_facts))
        )
        # (partition, Block)
        earlier = [earlier_places(pipeline, job)] if job.reuse else []
        return Facts(
            facts=[texts.ok, files, *earlier] | "facts" >> beam.Flatten(),
            rejects=texts[REJECTED]
            | "count rejects" >> beam.ParDo(CountRejects(show=True)),
            inputs=texts[INPUT_COUNT],
            dropped=texts[DROPPED] | "count dropped words" >> beam.CombinePerKey(sum),
        )


class PlannedPhotos(NamedTuple):
    """The collections of `JoinAndPlan`.

    Attributes:
        photos: Block of PackedPhoto.
        plan: Plan, one.
        rejects: Reject, those of the text too.
        inputs: (name, how many), of all inputs; a name once.
    """

    photos: PCollection
    plan: PCollection
    rejects: PCollection
    inputs: PCollection


class JoinAndPlan(beam.PTransform):
    """Facts -> PlannedPhotos."""

    def __init__(self, job: Job):
        super().__init__()
        self.job = job

    @no_annotations  # Beam warns of a tuple of collections
    def expand(self, read: Facts) -> PlannedPhotos:
        job = self.job
        # Block of PackedPhoto, and by tag Reject, (word or split or name, count)
        joined = (
            read.facts
            | "by partition" >> beam.GroupByKey()
            | "join"
            >> beam.ParDo(
                JoinPhotos(job.photos, job.output, job.split_fractions)
            ).with_outputs(REJECTED, TRAINING_WORD, SPLIT_SIZE, INPUT_COUNT, main="ok")
        )
        # (name, count): counted on arrival, independent of what becomes of the inputs
        inputs = (
            [read.inputs, joined[INPUT_COUNT]]
            | "all inputs" >> beam.Flatten()
            | "count inputs" >> beam.CombinePerKey(sum)
        )
        # Reject
        unjoined = joined[REJECTED] | "count rejects" >> beam.ParDo(
            CountRejects(show=True)
        )
        rejects = [read.rejects, unjoined] | "rejects" >> beam.Flatten()
        # (word, count) and ((split, container), count)
        words = joined[TRAINING_WORD] | "count words" >> beam.CombinePerKey(sum)
        sizes = joined[SPLIT_SIZE] | "size of splits" >> beam.CombinePerKey(sum)
        # Plan
        plan = (
            read.facts.pipeline
            | "one plan" >> beam.Create([None])
            | "plan"
            >> beam.ParDo(
                MakePlan(job),
                AsList(words),
                AsDict(sizes),
                AsIter(rejects),
                AsDict(inputs),
            )
        )
        return PlannedPhotos(joined.ok, plan, rejects, inputs)


class WriteRecords(beam.PTransform):
    """PlannedPhotos -> the record set; its directory, once it is whole.

    Args:
        job: the build.
        dropped: `Facts.dropped`.
        encoder_for: loads the encoder.
    """

    def __init__(
        self,
        job: Job,
        dropped: PCollection,
        encoder_for: Callable[[EncoderConfig], Encoder],
    ):
        super().__init__()
        self.job, self.dropped, self.encoder_for = job, dropped, encoder_for

    @no_annotations
    def expand(self, planned: PlannedPhotos) -> PCollection:
        job, plan = self.job, AsSingleton(planned.plan)
        # ShardReport as JSON; Reject
        reports, unread = planned.photos | "shards" >> WriteShards(
            job, plan, self.encoder_for
        )
        # Reject
        late = unread | "count rejects" >> beam.ParDo(CountRejects(show=False))
        rejects = [planned.rejects, late] | "all rejects" >> beam.Flatten()
        return (
            planned.photos.pipeline
            | "one end" >> beam.Create([None])
            | "finish"
            >> beam.ParDo(
                Finish(job),
                plan,
                AsIter(reports),
                AsIter(rejects),
                AsDict(planned.inputs),
                AsIter(self.dropped),
            )
        )
