"""The subcommand `tfcap evaluate`."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from records.console import add_command, print_plain
from records.extras import check_extras
from records.status_line import status_line
from records.storage.cache import add_cache
from records.tensorflow_logging import silence_startup
from records.wording import as_text, counted
from tfcap.cli.options import add_set, decoding_config, open_records

if TYPE_CHECKING:
    from rich.console import Console

    from records.format.record_set import RecordSet
    from tfcap.config.decoding import ResolvedDecoding
    from tfcap.evaluation.evaluator import Evaluation
    from tfcap.runs.workdir import Workdir


def add_evaluate(commands: Any) -> None:
    parser = add_command(
        commands,
        "evaluate",
        evaluate,
        "caption a split and score the captions: BLEU-1..4, ROUGE-L, CIDEr, and METEOR "
        "and SPICE if Java and their data are installed",
        "--workdir runs/flickr8k --records data/records/flickr8k --split test",
    )
    parser.add_argument(
        "--workdir",
        required=True,
        action="append",
        metavar="DIR",
        help="work directory of a run. Repeat it to evaluate an ensemble: it averages "
        "the models' probabilities and uses the first run's search settings. If the "
        "directory holds runs of several seeds, each is scored, and the mean is given",
    )
    parser.add_argument(
        "--ensemble",
        action="store_true",
        help="evaluate runs of several seeds as one ensemble",
    )
    parser.add_argument(
        "--records",
        required=True,
        action="append",
        metavar="DIR",
        help="records to caption. Repeat it, with records of the same photos, for an "
        "ensemble of models of several encoders",
    )
    parser.add_argument("--split", default="test", choices=["train", "dev", "test"])
    parser.add_argument(
        "--final",
        action="store_true",
        help="score the photos of the split test for good: WORKDIR/final.json records "
        "it, and every later scoring of them warns",
    )
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="directory of the results (default: WORKDIR/evaluation/SPLIT)",
    )
    parser.add_argument(
        "--against",
        metavar="FILE",
        help="test whether the scores differ significantly from those of an earlier "
        "results.json (the file or its directory), by a paired bootstrap over photos. "
        "Of several seeds, name the --output of their evaluation: means are compared",
    )
    parser.add_argument(
        "--no_java",
        action="store_true",
        help="leave METEOR and SPICE out, even if Java and their data are installed",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--gallery", metavar="DIR", help="write an HTML page of photos and captions"
    )
    parser.add_argument(
        "--photos", metavar="DIR", help="photo files for the gallery, if they moved"
    )
    add_cache(parser)
    add_set(parser, "decoding.")
    parser.set_defaults(wrong_usage=parser.error)


def evaluate(args: argparse.Namespace) -> int:
    check_extras("evaluate")
    silence_startup()
    from records.format.photos import check_photos
    from tfcap.memory import FREE_SOME, named_memory_errors
    from tfcap.runs.seeds import find_seeds

    if args.final and args.split != "test":
        args.wrong_usage(
            f"--final scores the split test; received --split {args.split}: leave one "
            "of them out"
        )
    check_photos(args.photos)
    seeds = find_seeds(args.workdir[0]) if len(args.workdir) == 1 else {}
    fewer = f"lower the search's beams, --set decoding.beam_width=N; or {FREE_SOME}"
    with named_memory_errors(fewer):
        if seeds and not args.ensemble:
            return evaluate_seeds(args, seeds)
        return evaluate_together(args)


def evaluate_together(args: argparse.Namespace) -> int:
    """Evaluates one run, or several as an ensemble."""
    from records.format.photos import photos_to_show
    from tfcap.evaluation import evaluator
    from tfcap.evaluation.comparison import Earlier
    from tfcap.runs.ensemble import open_members, results_folder
    from tfcap.runs.seeds import find_runs

    members = open_members(find_runs(args.workdir), one_encoder=len(args.records) == 1)
    record_sets = [open_records(path, args) for path in args.records]
    earlier = Earlier.read(args.against) if args.against else None
    result = evaluate_split(args, members, record_sets)
    result = result.beside(earlier) if earlier else result
    folder = args.output or results_folder([run.path for run in members], args.split)
    evaluator.save(result, folder)
    if args.json:
        print(json.dumps(result.summary()))
    else:
        print_scores(result, folder)
    print_warning(result)
    if args.gallery:
        photos = photos_to_show(record_sets[0].manifest.sources, args.photos)
        page = evaluator.save_gallery(result, photos, args.gallery)
        print(f"gallery: {page}", file=sys.stderr)
    return 0


def evaluate_seeds(args: argparse.Namespace, seeds: dict[int, str]) -> int:
    """Evaluates each run of several seeds, and their mean."""
    from records.console import plain_console
    from tfcap.evaluation.comparison import Earlier
    from tfcap.evaluation.evaluator import save
    from tfcap.evaluation.seed_summary import SeedScores
    from tfcap.runs.ensemble import results_folder
    from tfcap.runs.seeds import seed_folder
    from tfcap.runs.workdir import Workdir

    check_one_result(args)
    record_sets, results = [open_records(path, args) for path in args.records], {}
    earlier = Earlier.read(args.against) if args.against else None
    for seed, path in seeds.items():
        results[seed] = evaluate_split(args, [Workdir.open(path)], record_sets)
        seed_output = args.output and seed_folder(args.output, seed)
        save(results[seed], seed_output or results_folder([path], args.split))
    summary = SeedScores(results)
    summary = summary.beside(earlier) if earlier else summary
    folder = args.output or results_folder(args.workdir, args.split)
    summary.save(folder)
    for seed, result in results.items():
        print_warning(result, f"seed {seed}: ")
    if args.json:
        print(json.dumps(summary.summary()))
        return 0
    console = plain_console()
    console.print(summary.table())
    if summary.comparison:
        console.print(summary.comparison.table())
    print_settings(console, {**summary.settings, **summary.captions})
    console.print(f"results: {folder}", soft_wrap=True)
    return 0


def evaluate_split(
    args: argparse.Namespace,
    members: "Sequence[Workdir]",
    record_sets: "Sequence[RecordSet]",
) -> "Evaluation":
    """Evaluates one model; warns if final photos are scored again."""
    from tfcap.evaluation import final_scores

    decoding = decoding_config(members[0], args)
    with final_scores.lock_final_scores(members) if args.final else nullcontext():
        if args.split == "test":
            for warning in final_scores.warn_of_earlier(members, record_sets):
                print_plain(warning, file=sys.stderr)
        result = score_split(args, members, record_sets, decoding)
        if args.final:
            final_scores.add_final_scores(members, record_sets, decoding, result)
    return result


def score_split(
    args: argparse.Namespace,
    members: "Sequence[Workdir]",
    record_sets: "Sequence[RecordSet]",
    decoding: "ResolvedDecoding",
) -> "Evaluation":
    from tfcap.evaluation.evaluator import evaluate

    result = evaluate(members, record_sets, args.split, decoding)
    if args.no_java:
        return result
    with status_line("scoring with Java, if it is installed"):
        return result.with_java()


def check_one_result(args: argparse.Namespace) -> None:
    """Raises UserError if an option needs a single result."""
    from records.errors import UserError

    if args.gallery:
        raise UserError(
            f"--gallery is about one result, but {args.workdir[0]} holds runs of "
            "several seeds: name one of them, or add --ensemble"
        )


def print_scores(result: "Evaluation", folder: str) -> None:
    from records.console import plain_console
    from tfcap.evaluation.evaluator import score_table

    console = plain_console()
    console.print(score_table(result))
    if result.comparison:
        console.print(result.comparison.table())
    print_settings(console, {**result.settings, **result.summary()["captions"]})
    for name, why in result.java.left_out.items():
        console.print(f"{name}: left out: {why}", soft_wrap=True)
    console.print(f"results and references in COCO's formats: {folder}", soft_wrap=True)


def print_warning(result: "Evaluation", run: str = "") -> None:
    """Prints a warning on standard error if the scores are worth little."""
    if warning := warn_of(result.summary()["captions"]):
        print(f"{run}{warning}", file=sys.stderr)


def warn_of(captions: Mapping[str, Any]) -> str | None:
    """Returns a warning if all captions are empty or the same, else None."""
    number = captions["captions"]
    if captions["empty_captions"] == number:
        return f"warning: no caption of {counted(number, 'photo')} has a word"
    if captions["distinct_captions"] == 1 and number > 1:
        return f"warning: all {number} captions are the same: the photo is not seen"
    return None


def print_settings(console: "Console", settings: Mapping[str, Any]) -> None:
    for key, value in settings.items():
        if key != "encoders":
            console.print(f"{key}: {as_text(value)}", soft_wrap=True)
