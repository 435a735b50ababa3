"""The bare loop that the Beam job of captions is held against has its batches."""

from beam_jobs.transforms.caption_shard import CaptionJob
from tests.benchmarks.export_measures import caption_in_batches, run, same_batches
from tests.benchmarks.photo_set import PhotoSet
from tfcap.inference.captioner import Captioned


class Noting:
    """A captioner that notes its batches: by its name, for Beam makes copies of it."""

    batches: list = []  # noqa: RUF012

    def caption_batch(self, photos):
        Noting.batches.append(tuple(photos))
        return [Captioned("a photo", -1.0) for _ in photos]


def test_the_loop_has_the_jobs_batches(tmp_path):
    drawn = PhotoSet(tmp_path / "photos", 30, (8, 6))
    pattern, output = f"{drawn.photos}/*.jpg", str(tmp_path / "out")
    job = CaptionJob("model", "digest", pattern, output, shards=3, batch=4)
    run(job, lambda model: Noting())
    of_the_job = sorted(Noting.batches)
    Noting.batches.clear()
    caption_in_batches(same_batches(drawn.paths(), job.shards, job.batch), Noting())
    assert sorted(Noting.batches) == of_the_job
    assert len(of_the_job) >= 30 / 4
