"""The `tfcap` command.

TensorFlow is imported by the subcommands, not here: help and usage errors are instant.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from records.console import INTERRUPTED, add_command, run_command

RUN_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: nothing is wrong, try again


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    return run_command(lambda: args.run(args))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfcap", description="Train, evaluate, export and serve photo captioners."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_download(commands)
    add_train(commands)
    add_evaluate(commands)
    add_export(commands)
    add_caption(commands)
    add_serve(commands)
    return parser


def add_set(parser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the configuration; may be repeated",
    )


def add_download(commands) -> None:
    parser = add_command(
        commands,
        "download",
        download,
        "fetch, check and unpack a published data set; the same command again goes on",
        "flickr8k --output data/flickr8k",
    )
    parser.add_argument(
        "data_set", choices=["flickr8k"], metavar="NAME", help="flickr8k (1.1 GB)"
    )
    parser.add_argument("--output", required=True, help="directory for the data set")
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="URL",
        help="another place that has the same archives, or a directory of them",
    )
    parser.add_argument(
        "--keep_archives",
        action="store_true",
        help="leave the archives beside what is unpacked from them",
    )


def download(args: argparse.Namespace) -> int:
    from tfcap import download as downloading
    from tfcap.published import DATA_SETS

    data_set = DATA_SETS[args.data_set]
    fetched = downloading.download(
        data_set, args.output, args.origin, args.keep_archives
    )
    downloading.print_summary(data_set, args.output, fetched)
    return 0


def add_train(commands) -> None:
    parser = add_command(
        commands,
        "train",
        train,
        "train on records; the same command again resumes",
        "--config configs/flickr8k.yaml --records records/flickr8k "
        "--workdir runs/flickr8k --set training.epochs=10",
    )
    parser.add_argument("--config", required=True, help="a YAML file of configs/")
    parser.add_argument("--records", required=True, help="directory of the records")
    parser.add_argument("--workdir", required=True, help="for checkpoints and curves")
    parser.add_argument(
        "--init",
        metavar="DIR",
        help="another run's work directory: start from its best weights, with its "
        "configuration where --config says nothing",
    )
    parser.add_argument(
        "--photos",
        metavar="DIR",
        help="photo files, to show beside sample captions, if they moved",
    )
    parser.add_argument(
        "--local_workers",
        type=int,
        metavar="N",
        help="try several workers out: N processes on this machine's CPUs",
    )
    add_set(parser)
    parser.epilog += (
        f". Exit codes: 0 finished; {RUN_AGAIN} stopped by SIGTERM, its state saved: "
        f"run it again; {INTERRUPTED} the same by Ctrl-C; 1 failed; 2 wrong usage"
    )


def train(args: argparse.Namespace) -> int:
    if args.local_workers:
        from tfcap.local_workers import train_locally

        return train_locally(args)
    # Until training begins, and with it the handler that saves: nothing is lost yet.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(RUN_AGAIN))
    import records.quiet  # noqa: F401
    from records.reader import RecordSet
    from tfcap.cluster import find_cluster
    from tfcap.training import Trainer
    from tfcap.workdir import held

    config = training_config(args)
    record_set = RecordSet.open(args.records)
    cluster = find_cluster(config.training.strategy)
    with held(args.workdir) if cluster.is_chief else nullcontext():
        trainer = Trainer(config, record_set, args.workdir, args.photos, cluster)
        outcome = trainer.run()
    if cluster.is_chief:
        print_outcome(outcome, args)
    codes = {None: 0, signal.SIGTERM: RUN_AGAIN, signal.SIGINT: INTERRUPTED}
    return codes[outcome.stopped]


def training_config(args: argparse.Namespace):
    """The configuration; with --init on top of that of the run it starts from."""
    from tfcap.config import load_config
    from tfcap.workdir import CONFIG, Workdir

    if not args.init:
        return load_config(args.config, args.set)
    base = Workdir.open(args.init).folder(CONFIG)
    start = f"training.init={json.dumps(args.init)}"
    return load_config(args.config, [*args.set, start], base)


def print_outcome(outcome, args: argparse.Namespace) -> None:
    if outcome.stopped:
        print(
            f"stopped by {outcome.stopped.name} after step {outcome.steps}; its state "
            "is saved, the same command goes on from there"
        )
        return
    print(
        f"{outcome.epochs} epochs, {outcome.steps} steps; lowest dev loss "
        f"{outcome.best_loss:.3f} in epoch {outcome.best_epoch}\n"
        f"curves: tensorboard --logdir {args.workdir}/tensorboard\n"
        f"scores: tfcap evaluate --workdir {args.workdir} --records {args.records}"
    )


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


def decoding_config(workdir, args: argparse.Namespace):
    """The run's decoding settings with this command's overrides."""
    from records.errors import UserError
    from tfcap.config import load_config
    from tfcap.decoding import check_words
    from tfcap.workdir import CONFIG

    for override in args.set:
        if not override.startswith("decoding."):
            raise UserError(
                f"--set {override}: after training only decoding.* can be set"
            )
    decoding = load_config(workdir.folder(CONFIG), args.set).decoding
    decoding = decoding.up_to(workdir.manifest.longest_caption)
    check_words(decoding, workdir.vocabulary, workdir.manifest.tokenizer)
    return decoding


def add_export(commands) -> None:
    parser = add_command(
        commands,
        "export",
        export,
        "write a SavedModel: photo bytes in, caption out",
        "--workdir runs/flickr8k --output export/flickr8k",
    )
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument(
        "--encoder_weights", metavar="FILE", help="if they are not where they were"
    )
    parser.add_argument(
        "--encoder_model",
        metavar="PATH",
        help="a model of your own, if it is not where it was",
    )
    parser.add_argument("--overwrite", action="store_true")
    parser.add_argument(
        "--weights",
        choices=["float32", "float16"],
        default="float32",
        help="how weights are kept; float16 halves the export",
    )
    parser.add_argument(
        "--data_licence", metavar="TEXT", help="of the data, for the model card"
    )
    parser.add_argument(
        "--check",
        nargs="+",
        metavar="PHOTO",
        help="caption these by the live model and by the export, side by side",
    )
    add_set(parser)
    parser.epilog += (
        ". Beam width and longest caption: --set decoding.beam_width=5 "
        "--set decoding.max_length=20. Exit code 1 if --check finds that float32 "
        "captions differ"
    )


def export(args: argparse.Namespace) -> int:
    import records.quiet  # noqa: F401
    from tfcap.export import export as write
    from tfcap.export import model_card, photo_captioner
    from tfcap.export.saving import size
    from tfcap.workdir import Workdir

    workdir, half = Workdir.open(args.workdir), args.weights == "float16"
    decoding = decoding_config(workdir, args)
    captioner = photo_captioner(
        workdir, decoding, args.encoder_weights, args.encoder_model, half
    )
    card = model_card.describe(workdir, decoding, half, args.data_licence)
    path = write(captioner, args.output, args.overwrite, card)
    print(
        f"SavedModel: {path} ({size(path) / 1e6:.1f} MB, weights {args.weights})\n"
        f"try it: tfcap caption --model {args.output} PHOTO.jpg"
    )
    return check_export(captioner, args) if args.check else 0


def check_export(captioner, args: argparse.Namespace) -> int:
    """Prints live model and export side by side; 1 if they disagree."""
    from records.console import plain_console
    from records.files import read_file
    from tfcap.captioning import Captioner
    from tfcap.export.checking import Pair, comparison, live_captions

    photos = [read_file(path) for path in args.check]
    exported = Captioner.load(args.output).caption(photos)
    live = live_captions(captioner, photos)
    pairs = [Pair(*row) for row in zip(args.check, live, exported)]
    console = plain_console()
    console.print(comparison(pairs))
    both = [p for p in pairs if not p.live.error and not p.exported.error]
    moved = sum(abs(p.live.score - p.exported.score) for p in both)
    same = sum(p.live.caption == p.exported.caption for p in pairs)
    console.print(
        f"{same} of {len(pairs)} captions are the same; scores differ by "
        f"{moved / max(1, len(both)):.2g} on average"
    )
    return int(args.weights == "float32" and not all(p.agrees() for p in pairs))


def add_caption(commands) -> None:
    parser = add_command(
        commands,
        "caption",
        caption,
        "caption photos with an exported model",
        "--model export/flickr8k photo.jpg",
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("photos", nargs="+", metavar="PHOTO")


def caption(args: argparse.Namespace) -> int:
    import records.quiet  # noqa: F401
    from tfcap.captioning import Captioner

    captioner = Captioner.load(args.model)
    found = list(caption_files(captioner, args.photos))
    if args.json:
        rows = [{"photo": path, **vars(row)} for path, row in found]
        print(json.dumps({"captions": rows}))
    for path, row in found:
        if row.error:
            print(f"{path}: {row.error}", file=sys.stderr)
        elif not args.json:
            print(f"{row.score:7.3f}  {path}  {row.caption}")
    return int(any(row.error for _, row in found))


def caption_files(captioner, paths: Sequence[str], batch: int = 32):
    """Yields (path, Captioned); a file that cannot be read has its error."""
    from tfcap.captioning import Captioned

    for start in range(0, len(paths), batch):
        photos, errors = {}, {}
        for path in paths[start : start + batch]:
            try:
                with open(path, "rb") as file:
                    photos[path] = file.read()
            except OSError as error:
                errors[path] = Captioned("", 0.0, error.strerror)
        rows = dict(zip(photos, captioner.caption(list(photos.values()))))
        for path in paths[start : start + batch]:
            yield path, (rows | errors)[path]


def add_serve(commands) -> None:
    parser = add_command(
        commands,
        "serve",
        serve,
        "serve an exported model over HTTP, with a web page",
        "--model export/flickr8k --port 8501",
    )
    parser.add_argument("--model", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8501)
    parser.add_argument(
        "--token_file",
        metavar="FILE",
        help="clients must send its word as Authorization: Bearer WORD",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="batch, delay, queue, requests, seconds, max_body_bytes, max_photos or "
        "max_pixels (see ServingConfig in tfcap/config.py); may be repeated",
    )


def serve(args: argparse.Namespace) -> int:
    import records.quiet  # noqa: F401
    from tfcap.config import parse_serving
    from tfcap.serving import serve as run

    settings = parse_serving(args.set)
    run(args.model, args.host, args.port, settings, args.token_file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
