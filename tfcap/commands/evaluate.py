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
    parser.add_argument(
        "--workdir",
        required=True,
        action="append",
        help="of a run; repeated: their models write captions together, by the mean of "
        "their probabilities and with the first one's search settings",
    )
    parser.add_argument("--records", required=True)
    parser.add_argument("--split", default="test", choices=["train", "dev", "test"])
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="for the results; without it evaluation/SPLIT of the first --workdir",
    )
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
    from tfcap.members import open_members

    check_directory(args.photos)
    members, record_set = open_members(args.workdir), RecordSet.open(args.records)
    decoding = decoding_config(members[0], args)
    found = evaluation.evaluate(members, record_set, args.split, decoding)
    folder = args.output or results_folder(members, args.split)
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


def results_folder(members, split: str) -> str:
    """An ensemble's results do not take the place of its first run's own."""
    together = ["ensemble"] if len(members) > 1 else []
    return members[0].folder("evaluation", *together, split)


def print_scores(found, folder: str) -> None:
    from records.console import plain_console
    from tfcap.evaluation import score_table

    console = plain_console()
    console.print(score_table(found))
    settings = {k: v for k, v in found.settings.items() if k != "encoder"}
    for key, value in {**settings, **found.summary()["captions"]}.items():
        console.print(f"{key}: {value}")
    console.print(f"results and references in COCO's formats: {folder}")
