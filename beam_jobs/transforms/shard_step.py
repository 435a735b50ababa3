"""A step that writes one shard at a time, unless an earlier job finished it.

The shard is the unit of retry and of resume. Each finished shard has a report, in a
folder that readers ignore (`output_directory`). A job that is started again finds it
and does not write the shard again, if its bytes would be the same.
"""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import apache_beam as beam

from beam_jobs.elements import REJECTED
from beam_jobs.io.beam_storage import FileDoFn
from beam_jobs.io.output_directory import Report, finished_report, save_report
from beam_jobs.monitoring import progress
from beam_jobs.monitoring.counters import counter


class ShardStep(FileDoFn):
    """Outputs a report as JSON for each shard; output `rejected` -> Reject.

    Attributes:
        report_type: class of the reports.
        output: directory of the job's output.
    """

    report_type: ClassVar[type[Report]]

    def __init__(self, output: str):
        self.output = output
        self.reused = counter("photos_reused")

    def finished_or_new(
        self, name: str, digest: str, photos: int, write: Callable[[], Any]
    ) -> Any:
        """Returns the report of a finished shard, or writes the shard and its report.

        Args:
            name: file name of the shard.
            digest: of all that decides the shard's bytes.
            photos: how many the shard is to hold, rejected ones included.
            write: writes the shard; returns its report.
        """
        report = finished_report(self.report_type, self.output, name, digest)
        if report and report.is_final():
            self.reused.inc(report.photos_written)
            progress.skip(photos, len(report.rejects))
            return report
        report = write()
        save_report(self.output, name, report)
        return report

    def outputs(self, report: Report) -> Iterator:
        for reject in report.rejects:
            yield beam.pvalue.TaggedOutput(REJECTED, reject)
        yield report.model_dump_json()
