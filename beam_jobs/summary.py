"""What a build did, as a table a person reads."""

from apache_beam.metrics import MetricsFilter
from rich.table import Table

from beam_jobs.elements import Job
from beam_jobs.output_folder import REJECTS
from records.console import plain_console
from records.manifest import Manifest, load_manifest

LAST_STATES = ("DONE", "FAILED", "CANCELLED")


def print_summary(job: Job, result, seconds: float) -> None:
    """Prints the summary of a finished build; of a remote one, where to look."""
    if not has_ended(result):
        print(f"submitted; the records will be in {job.output}")
        return
    manifest = load_manifest(job.output)
    console = plain_console()
    console.print(in_and_out(manifest))
    console.print(by_split(manifest))
    encoded, reused = (
        counter(result, "photos_encoded"),
        counter(result, "photos_reused"),
    )
    console.print(
        f"{encoded} photos encoded by {job.encoder.name} in {seconds:.0f} s "
        f"({encoded / seconds:.1f}/s, start included), {reused} taken over from an "
        "interrupted build"
    )
    console.print(
        f"vocabulary {manifest.vocabulary_size} tokens, "
        f"{manifest.statistics.out_of_vocabulary_rate:.2%} of words outside it, "
        f"longest caption {manifest.longest_caption}"
    )
    console.print(f"records in {job.output}, what was left out in {REJECTS} there")


def has_ended(result) -> bool:
    """False for a job that was only submitted."""
    return result.state in LAST_STATES


def in_and_out(manifest: Manifest) -> Table:
    """Photos and captions: in, written, and rejected by reason."""
    numbers = manifest.statistics
    table = numbers_table("", "photos", "captions", title="in = written + rejected")
    table.add_row("in", str(numbers.photos_in), str(numbers.captions_in))
    table.add_row("written", str(numbers.photos_written), str(numbers.captions_written))
    for reason in sorted({*numbers.rejected_photos, *numbers.rejected_captions}):
        photos = numbers.rejected_photos.get(reason, 0)
        captions = numbers.rejected_captions.get(reason, 0)
        table.add_row(f"rejected: {reason}", str(photos), str(captions))
    return table


def numbers_table(*columns: str, title: str | None = None) -> Table:
    """A table whose first column is text and the others numbers."""
    table = Table(*columns, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def by_split(manifest: Manifest) -> Table:
    table = numbers_table("split", "photos", "captions", "shards", "MiB")
    for split, held in manifest.shards.items():
        size = sum(shard.bytes for shard in held) / 2**20
        numbers = (manifest.photos(split), manifest.captions(split), len(held))
        table.add_row(split, *map(str, numbers), f"{size:.1f}")
    return table


def counter(result, name: str) -> int:
    found = result.metrics().query(MetricsFilter().with_name(name))["counters"]
    return sum(metric.result for metric in found)
