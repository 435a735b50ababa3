r"""Builds records from captioned photos.

    tfcap build --config flickr8k \
        --photos data/flickr8k/Flicker8k_Dataset \
        --captions data/flickr8k/Flickr8k_text/Flickr8k.token.txt \
        --splits data/flickr8k/Flickr8k_text --output data/records/flickr8k

Inputs: a directory of photos, and captions with their splits, in the form of Flickr8k
or of another `--source` (`sources/` has a module for each). Outputs, in `--output`:

    train-00000-of-00012.tfrecord ...   one record per photo (records/format/schema.py)
    vocabulary.txt                      counted on the training list's captions
    rejects.jsonl                       one line per photo or caption left out
    dataset.json                        the manifest, written last

Only text is joined, and passes from step to step in files (`transforms/spill.py`).
A photo's pixels and features never leave the step that reads it. The encoder takes
most of the time: InceptionV3 encodes 15 photos a second on two cores. A photo takes
8 KiB of disk for 2,048 float32 features, and 3 KB more while the job runs.

Any Beam option may follow, `--runner` among them, or a file of them
(`--beam_options configs/dataflow.yaml`). Without a runner the job runs in this process.
`--dry_run` shows the job without running it.

To resume an interrupted build, run the same command again. With `--reuse` features come
from an earlier record set (`transforms/reuse_features.py`): another vocabulary,
tokenizer or split encodes nothing, and only new photos are encoded.
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
from apache_beam.runners.runner import PipelineResult

from beam_jobs.build_job import Job
from beam_jobs.command import JobCommand, run_job
from beam_jobs.io.photo_files import check_photos
from beam_jobs.monitoring import progress
from beam_jobs.monitoring.summary import print_summary
from beam_jobs.runners.run import run_pipeline
from beam_jobs.sources import options as source_options
from beam_jobs.transforms.build_stages import JoinAndPlan, ReadFacts, WriteRecords
from beam_jobs.transforms.reuse_features import open_earlier
from records import console
from records.format import manifest
from records.format.schema import FeatureSpec
from records.status_line import status_line
from tfcap.config.encoder import EncoderConfig
from tfcap.config.loading import load_config
from tfcap.encoders import Encoder, load_encoder


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    return run_job(make_command(), argv, prog)


def make_command() -> JobCommand:
    return JobCommand(
        make_parser=make_parser,
        check_options=source_options.check_options,
        places=places,
        make_job=make_job,
        construct=construct,
        run=build,
        last_file=manifest.FILE_NAME,
        product="records",
        print_summary=print_summary,
    )


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m beam_jobs.build_records",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--config",
        required=True,
        help="YAML file, or a name that `tfcap recipes` lists",
    )
    parser.add_argument(
        "--photos",
        required=True,
        help="directory of the photos, a zip file of them, or the files that hold "
        "photos and captions",
    )
    source_options.add_options(parser)
    parser.add_argument("--output", required=True, help="directory for the records")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the configuration, e.g. --set tokenizer.min_count=10",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the records in --output"
    )
    parser.add_argument(
        "--reuse", metavar="DIR", help="earlier records to take features from"
    )
    parser.add_argument(
        "--max_reject_fraction",
        type=fraction,
        default=0.1,
        help="fail when a larger part of the photos is rejected (default 0.1)",
    )
    return parser


def fraction(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected 0 to 1; received {text}")
    return value


def places(args: argparse.Namespace) -> dict[str, list[str]]:
    """Returns, for each option, the paths that workers read from or write to."""
    reuse = [args.reuse] if args.reuse else []
    paths = {"--photos": [args.photos], "--output": [args.output], "--reuse": reuse}
    return {**paths, **source_options.places(args)}


def make_job(args: argparse.Namespace, check_inputs: bool = True) -> Job:
    """Checks the inputs and loads the encoder, so that errors show before the job runs.

    Args:
        args: the command's own options.
        check_inputs: read the input files; without, the job can be shown, not run.
    """
    config = load_config(args.config, args.set)
    source = source_options.open_source(args, check_inputs)
    if check_inputs and not source.holds_photos:
        check_photos(args.photos)
    with status_line("loading the encoder, up to half a minute"):
        encoder = load_encoder(config.encoder)
    job = Job(
        photos=args.photos,
        source=source,
        output=args.output,
        config=config,
        encoder=encoder.info,
        features=FeatureSpec(shape=encoder.shape, dtype=config.records.dtype),
        max_reject_fraction=args.max_reject_fraction,
        reuse=args.reuse,
        split_fractions=args.split_fractions,
    )
    if job.reuse and check_inputs:
        open_earlier(job.reuse, job)
    return job


def build(
    job: Job,
    options: PipelineOptions,
    encoder_for: Callable[[EncoderConfig], Encoder] = load_encoder,
) -> PipelineResult:
    """Runs the pipeline; a local runner ends before this returns."""
    with progress.show("reading captions", options):
        return run_pipeline(lambda p: construct(p, job, encoder_for), options)


def construct(
    pipeline: beam.Pipeline,
    job: Job,
    encoder_for: Callable[[EncoderConfig], Encoder] = load_encoder,
) -> None:
    """Adds the job's steps. They hold paths only, however large the data set is."""
    facts = pipeline | "read" >> ReadFacts(job)
    planned = facts | "join" >> JoinAndPlan(job)
    _ = planned | "write" >> WriteRecords(job, facts.dropped, encoder_for)


if __name__ == "__main__":
    sys.exit(console.run_command(main))
