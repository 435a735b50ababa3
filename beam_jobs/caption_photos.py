r"""Captions a large collection of photos with an exported SavedModel.

    tfcap caption-photos --model export/flickr8k \
        --photos 'photos/**.jpg' --output captions

Inputs: an export of `tfcap export`; a pattern of photos, matched inside the pipeline
(`**` goes into folders; quote it). Outputs, in `--output`:

    captions-00000-of-00008.jsonl ...   {"photo", "caption", "score"} a line, by path
    rejects.jsonl                       one line per photo without a caption
    summary.json                        counts, shards and the model; written last

Only paths are grouped, by a hash of the path; photos never leave the step that reads
them. Any Beam option may follow, `--runner` among them; without one the job runs in
this process. To resume an interrupted job from its first unfinished shard, run the same
command again.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from beam_jobs.runners.beam_logging import import_beam_quietly
from records.interrupts import exit_on_ctrl_c
from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    exit_on_ctrl_c()
    silence_startup()
    import_beam_quietly()

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import AsIter, AsSingleton
from apache_beam.runners.runner import PipelineResult
from apache_beam.transforms import combiners

from beam_jobs.command import JobCommand, run_job
from beam_jobs.elements import REJECTED, SourceFile
from beam_jobs.io.beam_storage import FileDoFn
from beam_jobs.io.photo_files import match_photos
from beam_jobs.monitoring import progress
from beam_jobs.monitoring.summary import counter
from beam_jobs.runners import dry_run
from beam_jobs.runners.resource_hints import encoder_hints
from beam_jobs.runners.run import run_pipeline
from beam_jobs.transforms.caption_shard import (
    CaptionJob,
    CaptionShard,
    FinishCaptions,
    Summary,
    load_captioner,
    model_digest,
)
from records import console
from records.errors import UserError
from records.format import rejects, sharding
from tfcap.inference.captioner import Captioner


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    return run_job(make_command(), argv, prog)


def make_command() -> JobCommand:
    return JobCommand(
        make_parser=make_parser,
        places=places,
        make_job=make_job,
        construct=construct,
        run=caption,
        last_file=Summary.file_name(),
        product="captions",
        print_summary=print_summary,
    )


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m beam_jobs.caption_photos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--model", required=True, help="directory of the export")
    parser.add_argument("--photos", required=True, help="pattern, e.g. 'photos/*.jpg'")
    parser.add_argument("--output", required=True, help="directory for the captions")
    parser.add_argument(
        "--shards", type=positive, default=8, help="files to write (default 8)"
    )
    parser.add_argument(
        "--batch", type=positive, default=32, help="photos at a time (default 32)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the captions in --output"
    )
    return parser


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more; received {text}")
    return value


def places(args: argparse.Namespace) -> dict[str, list[str]]:
    """Returns, for each option, the paths that workers read from or write to."""
    named = {"--model": args.model, "--photos": args.photos, "--output": args.output}
    return {option: [path] for option, path in named.items()}


def make_job(args: argparse.Namespace, check_inputs: bool = True) -> CaptionJob:
    """Loads the model, so that a wrong directory shows before the job runs.

    Args:
        args: the command's own options.
        check_inputs: read the model; without, the job can be shown, not run.
    """
    digest = dry_run.NOT_LOOKED_AT
    if check_inputs:
        load_captioner(args.model)
        digest = model_digest(args.model)
    return CaptionJob(
        model=args.model,
        model_digest=digest,
        photos=args.photos,
        output=args.output,
        shards=args.shards,
        batch=args.batch,
    )


def caption(
    job: CaptionJob,
    options: PipelineOptions,
    captioner_for: Callable[[str], Captioner] = load_captioner,
) -> PipelineResult:
    """Runs the pipeline; a local runner ends before this returns."""
    with progress.show("listing photos", options):
        return run_pipeline(lambda p: construct(p, job, captioner_for), options)


def construct(
    pipeline: beam.Pipeline,
    job: CaptionJob,
    captioner_for: Callable[[str], Captioner] = load_captioner,
) -> None:
    """Adds the job's steps. They hold a pattern only, however many photos match it."""
    # -> SourceFile
    files = (
        pipeline
        | "pattern" >> beam.Create([job.photos])
        | "match photos" >> beam.ParDo(MatchPhotos())
    )
    photos_in = AsSingleton(files | "photos in" >> combiners.Count.Globally())
    # -> (shard, SourceFile or None)
    keyed = files | "assign shard" >> beam.Map(assign_shard, job.shards)
    empty = (
        pipeline
        | "every shard" >> beam.Create(range(job.shards))
        | "no photo" >> beam.Map(lambda index: (index, None))
    )
    step = beam.ParDo(CaptionShard(job, captioner_for), photos_in)
    step.with_resource_hints(**encoder_hints(pipeline.options))
    # -> CaptionReport as JSON; rejected: Reject
    written = (
        (keyed, empty)
        | "both" >> beam.Flatten()
        | "by shard" >> beam.GroupByKey()
        | "caption shard" >> step.with_outputs(REJECTED, main="ok")
    )
    _ = (
        pipeline
        | "one end" >> beam.Create([None])
        | "finish"
        >> beam.ParDo(
            FinishCaptions(job),
            AsIter(written.ok),
            AsIter(written[REJECTED]),
            photos_in,
        )
    )


class MatchPhotos(FileDoFn):
    """Pattern -> SourceFile of each photo that it names."""

    def process(self, pattern: str):
        return match_some(pattern)


def match_some(pattern: str) -> list[SourceFile]:
    """Returns the photos that match a pattern.

    Raises:
        UserError: there is none.
    """
    photos = list(match_photos(pattern))
    if not photos:
        raise UserError(
            f"--photos: no file matches {pattern}; expected a pattern such as "
            "'photos/*.jpg', or 'photos/**.jpg' to go into folders"
        )
    return photos


def assign_shard(file: SourceFile, count: int) -> tuple[int, SourceFile]:
    return sharding.shard_of(file.photo_id, count), file


def print_summary(job: CaptionJob, result: PipelineResult, seconds: float) -> None:
    """Prints what a finished job did."""
    summary = Summary.load(job.output)
    table = console.number_table("", "photos", title="in = captioned + rejected")
    table.add_row("in", str(summary.photos_in))
    table.add_row("captioned", str(summary.captioned))
    for reason, count in summary.rejected.items():
        table.add_row(f"rejected: {reason}", str(count))
    terminal = console.plain_console()
    terminal.print(table)
    now, reused = counter(result, "photos_captioned"), counter(result, "photos_reused")
    terminal.print(
        f"{now} photos captioned in {seconds:.0f} s ({now / seconds:.1f}/s, start "
        f"included), {reused} taken over from an interrupted job\n"
        f"captions in {job.output}, what was left out in {rejects.FILE_NAME} there"
    )


if __name__ == "__main__":
    sys.exit(console.run_command(main))
