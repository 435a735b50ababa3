"""Puts the encoder of the records in front of a trained model."""

from collections.abc import Sequence
from dataclasses import replace

from records.console import short_digest
from records.errors import UserError
from records.format.record_set import RecordSet
from records.storage.cache import FileCache
from tfcap.config.decoding import ResolvedDecoding
from tfcap.data.features import FeatureSource
from tfcap.decoding.mbr import MbrScorer
from tfcap.encoders import Encoder, load_encoder
from tfcap.encoders.from_manifest import moved
from tfcap.export.signatures import PhotoCaptioner
from tfcap.runs.ensemble import restore, tuned_encoders
from tfcap.runs.workdir import Workdir, check_fits


def photo_captioner(
    members: Sequence[Workdir],
    decoding: ResolvedDecoding,
    encoder_weights: str | None = None,
    encoder_model: str | None = None,
    half: bool = False,
    records: str | None = None,
    encoder_preset: str | None = None,
    cache: FileCache | None = None,
) -> PhotoCaptioner:
    """Returns the best checkpoint with its encoder, ready for export.

    >>> from tfcap.export import photo_captioner
    >>> from tfcap.runs.workdir import Workdir
    >>> run = Workdir.open("runs/demo")
    >>> settings = run.config.decoding.resolve_max_length(12)
    >>> captioner = photo_captioner([run], settings)
    >>> sorted(captioner.signatures())
    ['beams', 'explain', 'features', 'serving_default']

    Args:
        members: One run, or those of an ensemble (`tfcap.runs.ensemble.open_members`).
        decoding: Settings of the search.
        encoder_weights: Path of the encoder's weights; None: as configured.
        encoder_model: Path of a custom encoder model; None: as configured.
        half: Whether weights are stored in float16.
        records: Directory of the records, for `decoding.consensus`.
        encoder_preset: Directory of the encoder's preset; None: as configured.
        cache: Where copies of remote records are; None: in the default folder.

    Raises:
        UserError: The encoder does not exist or is not that of the records;
            `consensus` is set without fitting records; or its `regression` needs photos
            that the records do not keep.
    """
    workdir = members[0]
    consensus = decoding.consensus
    record_set = open_records(workdir, records, cache) if consensus else None
    options = {
        "weights": encoder_weights,
        "model": encoder_model,
        "preset": encoder_preset,
    }
    paths = {kind: path for kind, path in options.items() if path}
    model, _ = restore([with_encoder_at(run, paths) for run in members])
    # Either all members trained their encoder, or none.
    tuned, *_ = tuned_encoders(model)
    tuned_encoder = tuned and tuned.frozen()
    mbr_scorer = None
    if consensus and record_set:
        sources = [FeatureSource(record_set, tuned_encoder)]
        mbr_scorer = MbrScorer.of_split(sources, "train", consensus)
    manifest = workdir.manifest
    return PhotoCaptioner(
        tuned_encoder or encoder_of_records(workdir, paths),
        model,
        workdir.vocabulary,
        manifest.tokenizer,
        decoding,
        "float32" if tuned_encoder else manifest.features.dtype,
        half,
        mbr_scorer,
    )


def with_encoder_at(run: Workdir, paths: dict[str, str]) -> Workdir:
    """Returns the run with the new paths of its encoder's file."""
    encoder = moved(run.config.encoder, paths)
    return replace(run, config=run.config.model_copy(update={"encoder": encoder}))


def open_records(
    workdir: Workdir, directory: str | None, cache: FileCache | None
) -> RecordSet:
    """Opens the records whose captions `decoding.consensus` needs."""
    if directory is None:
        raise UserError(
            "decoding.consensus compares captions by how rare their words are in the "
            "training captions: say with --records where the records are"
        )
    records = RecordSet.open(directory, cache)
    check_fits(workdir, records)
    return records


def encoder_of_records(workdir: Workdir, paths: dict[str, str]) -> Encoder:
    """Loads the encoder of the records, with the new paths of its file.

    >>> from tfcap.export.builder import encoder_of_records
    >>> from tfcap.runs.workdir import Workdir
    >>> encoder_of_records(Workdir.open("runs/demo"), {}).shape
    (32,)
    """
    config = moved(workdir.config.encoder, paths)
    encoder = load_encoder(config)
    expected = workdir.manifest.encoder.digest
    if encoder.info.digest != expected:
        named = f"{config.name} with weights {config.weights}"
        what = named if config.name else config.file
        raise UserError(
            f"the encoder {what} is not the one the records were made with: its digest "
            f"is {short_digest(encoder.info.digest)}, theirs "
            f"{short_digest(expected)}. Pass theirs with "
            f"--encoder_{config.file_key}"
        )
    return encoder
