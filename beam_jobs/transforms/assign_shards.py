"""Assigns photos to shards, and writes every shard once."""

from collections import defaultdict
from collections.abc import Callable

import apache_beam as beam
from apache_beam.pvalue import AsSingleton
from apache_beam.typehints.decorators import no_annotations

from beam_jobs.build_job import Job
from beam_jobs.elements import REJECTED, Plan, SourceFile
from beam_jobs.io.beam_storage import FileDoFn
from beam_jobs.runners.resource_hints import encoder_hints
from beam_jobs.transforms.shard_plan import shard_of
from beam_jobs.transforms.spill import Block, read_blocks, write_blocks
from beam_jobs.transforms.write_shard import WriteShard
from tfcap.config.encoder import EncoderConfig
from tfcap.encoders import Encoder

Shard = tuple[str, int]  # split, and number in it


class WriteShards(beam.PTransform):
    """Block of PackedPhoto -> (ShardReport as JSON, Reject), two collections.

    Args:
        job: the build.
        plan: the one Plan.
        encoder_for: loads the encoder.
    """

    def __init__(
        self,
        job: Job,
        plan: AsSingleton,
        encoder_for: Callable[[EncoderConfig], Encoder],
    ):
        super().__init__()
        self.job, self.plan = job, plan
        self.step = WriteShard(job, encoder_for)

    @no_annotations  # Beam warns of a tuple of collections
    def expand(
        self, photos: beam.PCollection
    ) -> tuple[beam.PCollection, beam.PCollection]:
        cut = photos | "cut" >> beam.ParDo(CutIntoShards(self.job.output), self.plan)
        # A shard without a photo is written too.
        every = (
            photos.pipeline
            | "one cut" >> beam.Create([None])
            | "every shard" >> beam.FlatMap(every_shard, self.plan)
        )
        step = beam.ParDo(self.step, self.plan)
        step.with_resource_hints(**encoder_hints(photos.pipeline.options))
        written = (
            (cut, every)
            | "cut and every" >> beam.Flatten()
            | "by shard" >> beam.GroupByKey()
            | "write shard" >> step.with_outputs(REJECTED, main="ok")
        )
        return written.ok, written[REJECTED]


class CutIntoShards(FileDoFn):
    """Block of PackedPhoto -> (Shard, Block) for each shard with some of its photos.

    Args:
        output: directory of the records.
    """

    def __init__(self, output: str):
        self.output = output

    def process(self, block: Block, plan: Plan):
        cut: dict[Shard, list[list]] = defaultdict(list)
        for photo in read_blocks([block]):
            photo_id, split, file, *_ = photo
            index = shard_of(photo_id, split, SourceFile(*file), plan)
            cut[split, index].append(photo)
        yield from write_blocks(self.output, cut)


def every_shard(_: None, plan: Plan) -> list[tuple[Shard, None]]:
    """Returns the plan's shards, each with None in place of a block."""
    return [((split, i), None) for split, n in plan.shards.items() for i in range(n)]
