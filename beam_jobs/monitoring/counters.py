"""Counters of a build: the outcome of every photo, the time of every step.

    photos_written           in finished shards: encoded + taken over + reused
    photos_encoded           by the encoder, in this run
    photos_taken_over        their features came from --reuse
    photos_reused            in shards that an interrupted build had finished
    photos_rejected_REASON   one counter for each reason
    earlier_records_damaged  of --reuse: their photos are encoded
    captions_written         of the photos written
    captions_rejected_REASON
    encoder_batch_size       photos per run of the encoder
    read_milliseconds, encode_milliseconds, write_milliseconds
                             a batch; the last also has the end of each shard

Counters and distributions of the namespace `tfcap`: a runner shows them while it runs,
and the summary at the end reads them.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.metrics.metricbase import Counter, Distribution

from beam_jobs.monitoring import progress
from records.format.rejects import Reject

NAMESPACE = "tfcap"
DAMAGED = "earlier_records_damaged"
STEPS = {"read": "read photos", "encode": "decode and encode", "write": "write records"}


def counter(name: str) -> Counter:
    return Metrics.counter(NAMESPACE, name)


def distribution(name: str) -> Distribution:
    return Metrics.distribution(NAMESPACE, name)


def step_milliseconds(step: str) -> Distribution:
    """Returns the distribution of a step in STEPS."""
    return distribution(f"{step}_milliseconds")


@contextmanager
def measure_time(milliseconds: Distribution) -> Iterator[None]:
    """Adds the time its body takes to a distribution."""
    started = time.perf_counter()
    yield
    milliseconds.update(milliseconds_since(started))


def milliseconds_since(started: float) -> int:
    """Returns the milliseconds since a reading of `time.perf_counter`."""
    return round(1000 * (time.perf_counter() - started))


class CountRejects(beam.DoFn):
    """Reject -> the same Reject; counts it by its reason.

    Args:
        show: pass it to the progress line, which knows the encoding step's already.
    """

    def __init__(self, show: bool):
        self.show = show

    def process(self, reject: Reject):
        photos = int(reject.what == "photo")
        for what, number in (("photos", photos), ("captions", reject.captions)):
            if number:
                counter(f"{what}_rejected_{reject.reason}").inc(number)
        if self.show:
            progress.reject(photos)
        yield reject
