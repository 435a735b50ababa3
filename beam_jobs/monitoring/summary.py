"""Prints the summary of a build."""

from collections.abc import Iterator, Mapping
from typing import Any

from apache_beam.metrics import MetricsFilter
from apache_beam.runners.runner import PipelineResult

from beam_jobs.build_job import Job
from beam_jobs.monitoring.counters import DAMAGED, NAMESPACE, STEPS
from records.console import number_table, plain_console
from records.format import rejects
from records.format.manifest import Manifest, load_manifest
from records.format.split_summary import describe_splits, split_table
from records.inspection import summary

NOTICED = 0.01  # of the words, in a script without spaces: a warning


def print_summary(job: Job, result: PipelineResult, seconds: float) -> None:
    """Prints the summary of a finished build."""
    manifest = load_manifest(job.output)
    console = plain_console()
    console.print(summary.in_and_out(manifest))
    console.print(split_table(describe_splits(manifest)))
    steps = number_table(
        "step", "seconds", "ms a batch", "slowest", title="time by step, all workers"
    )
    for row in step_rows(result):
        steps.add_row(*row)
    if steps.row_count:
        console.print(steps)
    words = summary.word_lines(manifest)
    for line in (*words, *outcomes(job, result, seconds), *contents(job, manifest)):
        console.print(line, soft_wrap=True)


def contents(job: Job, manifest: Manifest) -> Iterator[str]:
    yield (
        f"vocabulary {manifest.vocabulary_size} tokens, "
        f"{manifest.statistics.out_of_vocabulary_rate:.2%} of tokens outside it, "
        f"longest caption {manifest.longest_caption}"
    )
    uncaptioned = manifest.statistics.uncaptioned_files
    if uncaptioned:
        yield f"files of {job.photos} without a caption, left alone: {uncaptioned}"
    if manifest.statistics.equal_captions:
        yield (
            "warning: all training captions have the same tokens, so a model learns to "
            "write only that caption; check --captions and the tokenizer's settings"
        )
    if not manifest.photos("dev"):
        remedy = (
            "take more photos, or a larger part for it in --split_fractions"
            if job.split_fractions
            else "list some, or build with --split_fractions 0.9,0.05,0.05"
        )
        yield (
            "warning: no photo is in split dev, by which tfcap train chooses the best "
            f"epoch; {remedy}"
        )
    unspaced = manifest.statistics.unspaced_fraction
    if manifest.tokenizer.kind == "word" and unspaced >= NOTICED:
        yield (
            f"warning: {unspaced:.0%} of the training captions' words are in a script "
            "without spaces, each a whole clause; tokenizer.kind=char cuts them"
        )
    yield f"records in {job.output}, what was left out in {rejects.FILE_NAME} there"


def outcomes(job: Job, result: PipelineResult, seconds: float) -> Iterator[str]:
    """Yields where the photos' features came from, and the speed, from the counters."""
    if not query(result, "photos_written")["counters"]:
        yield f"done in {seconds:.0f} s; this runner tells no more"
        return
    reused = counter(result, "photos_reused")
    if reused:
        yield f"{reused} photos taken over from an interrupted build"
    if job.reuse:
        taken_over = counter(result, "photos_taken_over")
        yield f"features of {taken_over} photos taken over from {job.reuse}"
    damaged = counter(result, DAMAGED)
    if damaged:
        yield f"{damaged} records of {job.reuse} are damaged; their photos were encoded"
    encoded = counter(result, "photos_encoded")
    took = f"in {seconds:.0f} s, start and all"
    if encoded:
        rate = f"{encoded / seconds:.1f}/s"
        yield f"{encoded} photos encoded by {job.encoder.name} {took} ({rate})"
    else:
        yield f"no photo had to be encoded; done {took}"


def step_rows(result: PipelineResult) -> Iterator[tuple[str, str, str, str]]:
    """Yields name, seconds, milliseconds a batch and the slowest batch of each step."""
    for step, name in STEPS.items():
        if times := distribution(result, f"{step}_milliseconds"):
            mean = times.sum / times.count
            yield name, f"{times.sum / 1000:.1f}", f"{mean:.0f}", str(times.max)


def counter(result: PipelineResult, name: str) -> int:
    return sum(metric.result for metric in query(result, name)["counters"])


def distribution(result: PipelineResult, name: str) -> Any:
    """Returns Beam's count, sum, min and max; None without a value."""
    metrics = query(result, name)["distributions"]
    return metrics[0].result if metrics else None


def query(result: PipelineResult, name: str) -> Mapping[str, list]:
    """Returns a runner's counters; empty lists for a runner without counters."""
    wanted = MetricsFilter().with_namespace(NAMESPACE).with_name(name)
    try:
        return result.metrics().query(wanted)
    except NotImplementedError:
        return {"counters": [], "distributions": []}
