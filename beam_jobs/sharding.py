"""Photos to shards: which photo goes where, and every shard written once."""

from collections.abc import Callable, Collection

import apache_beam as beam
from apache_beam.pvalue import AsIter, AsSingleton
from apache_beam.transforms import combiners

from beam_jobs.elements import REJECTED, Job, Plan
from beam_jobs.packing import PackedPhoto
from beam_jobs.resource_hints import encoder_hints
from beam_jobs.shard_writing import WriteShard
from records import shards
from tfcap.config import EncoderConfig
from tfcap.encoders import Encoder

Shard = tuple[str, int]  # split, and number in it


class WriteShards(beam.PTransform):
    """PackedPhoto -> (ShardReport as JSON, Reject), two collections.

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
        self.plan = plan
        self.step = WriteShard(job, encoder_for)

    def expand(self, photos: beam.PCollection):
        keyed = photos | "assign shard" >> beam.Map(assign_shard, self.plan)
        filled = keyed | "by shard" >> beam.GroupByKey()
        used = keyed | "shards" >> beam.Keys() | combiners.Count.PerElement()
        # By themselves: flattened with the photos, they would have every photo written
        # out once more before it is grouped.
        empty = (
            photos.pipeline
            | "every shard" >> beam.Create([None])
            | "shards without photo"
            >> beam.FlatMap(
                lambda _, plan, used: empty_shards(plan, [shard for shard, _ in used]),
                self.plan,
                AsIter(used),
            )
        )
        written = [self.write("write shard", filled), self.write("write empty", empty)]
        return (
            [some.ok for some in written] | "reports" >> beam.Flatten(),
            [some[REJECTED] for some in written] | "unread" >> beam.Flatten(),
        )

    def write(
        self, label: str, grouped: beam.PCollection
    ) -> beam.pvalue.DoOutputsTuple:
        hints = encoder_hints(grouped.pipeline.options)
        step = beam.ParDo(self.step, self.plan).with_resource_hints(**hints)
        return grouped | label >> step.with_outputs(REJECTED, main="ok")


def assign_shard(photo: PackedPhoto, plan: Plan) -> tuple[Shard, bytes]:
    """Keys what `unpack_photo` takes by the photo's shard."""
    photo_id, split, content = photo
    return (split, shards.shard_of(photo_id, plan.shards[split])), content


def empty_shards(plan: Plan, used: Collection[Shard]) -> list[tuple[Shard, list]]:
    """Shards of the plan that no photo falls into: they are written all the same."""
    every = [(split, i) for split, count in plan.shards.items() for i in range(count)]
    return [(shard, []) for shard in every if shard not in set(used)]
