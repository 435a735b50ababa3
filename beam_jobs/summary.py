"""What a build did, as a table a person reads."""

from apache_beam.metrics import MetricsFilter

from beam_jobs.elements import Job
from beam_jobs.reusing import DAMAGED
from records import inspection, rejects
from records.console import plain_console
from records.manifest import load_manifest

LAST_STATES = ("DONE", "FAILED", "CANCELLED")


def print_summary(job: Job, result, seconds: float) -> None:
    """Prints the summary of a finished build; of a remote one, where to look."""
    if not has_ended(result):
        print(f"submitted; the records will be in {job.output}")
        return
    manifest = load_manifest(job.output)
    console = plain_console()
    console.print(inspection.in_and_out(inspection.describe_in_and_out(manifest)))
    console.print(inspection.by_split(inspection.describe_splits(manifest)))
    encoded, reused = (
        counter(result, "photos_encoded"),
        counter(result, "photos_reused"),
    )
    if reused:
        console.print(f"{reused} photos taken over from an interrupted build")
    if job.reuse:
        print_taken_over(job, result, console)
    console.print(
        f"{encoded} photos encoded by {job.encoder.name} in {seconds:.0f} s, start and "
        f"all ({encoded / seconds:.1f}/s)"
    )
    console.print(
        f"vocabulary {manifest.vocabulary_size} tokens, "
        f"{manifest.statistics.out_of_vocabulary_rate:.2%} of words outside it, "
        f"longest caption {manifest.longest_caption}"
    )
    console.print(
        f"records in {job.output}, what was left out in {rejects.FILE_NAME} there"
    )


def print_taken_over(job: Job, result, console) -> None:
    taken_over, damaged = counter(result, "photos_taken_over"), counter(result, DAMAGED)
    console.print(f"features of {taken_over} photos taken over from {job.reuse}")
    if damaged:
        console.print(
            f"{damaged} records of {job.reuse} are damaged; their photos were encoded"
        )


def has_ended(result) -> bool:
    """False for a job that was only submitted."""
    return result.state in LAST_STATES


def counter(result, name: str) -> int:
    found = result.metrics().query(MetricsFilter().with_name(name))["counters"]
    return sum(metric.result for metric in found)
