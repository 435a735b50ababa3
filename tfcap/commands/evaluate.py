"""`tfcap evaluate`."""

import argparse
import json
import sys

from records.console import add_command
from tfcap.commands.overrides import add_set, decoding_config


def add_evaluate(commands) -> None:
    parser = add_command(
        commands,
        "evaluate",
        evaluate,
        "caption a split and score it: BLEU-1..4, ROUGE-L, CIDEr",
        "--workdir runs/flickr8k --records records/flickr8k --split test",
    )
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--records", required=True)
    parser.add_argument("--split", default="test", choices=["train", "dev", "test"])
    parser.add_argument("--json", action="store_true", help="one JSON object, no table")
    parser.add_argument(
        "--gallery", metavar="DIR", help="write a page of captions there"
    )
    parser.add_argument(
        "--photos", metavar="DIR", help="for the gallery, if they moved"
    )
    add_set(parser)


def evaluate(args: argparse.Namespace) -> int:
    import records.quiet  # noqa: F401
    from records.photo_folder import check_directory
    from records.reader import RecordSet
    from tfcap import evaluation
    from tfcap.workdir import Workdir

    check_directory(args.photos)
    workdir, record_set = Workdir.open(args.workdir), RecordSet.open(args.records)
    decoding = decoding_config(workdir, args)
    found = evaluation.evaluate(workdir, record_set, args.split, decoding)
    folder = workdir.folder("evaluation", args.split)
    evaluation.save(found, folder)
    if args.json:
        print(json.dumps(found.summary()))
    else:
        print_scores(found, folder)
    if args.gallery:
        photos = args.photos or record_set.manifest.sources["photos"]
        page = evaluation.save_gallery(found, photos, args.gallery)
        print(f"gallery: {page}", file=sys.stderr)
    return 0


def print_scores(found, folder: str) -> None:
    from records.console import plain_console
    from tfcap.evaluation import score_table

    console = plain_console()
    console.print(score_table(found))
    settings = {k: v for k, v in found.settings.items() if k != "encoder"}
    for key, value in {**settings, **found.summary()["captions"]}.items():
        console.print(f"{key}: {value}")
    console.print(f"results and references in COCO's formats: {folder}")
