"""The model of a work directory with the encoder of its records in front."""

from collections.abc import Sequence
from dataclasses import replace

from records.errors import UserError
from records.format.record_set import RecordSet
from tfcap.config.decoding import DecodingConfig
from tfcap.data.features import FeatureSource
from tfcap.decoding import MbrScorer
from tfcap.encoders import Encoder, load_encoder
from tfcap.encoders.from_manifest import kind_of_file, moved
from tfcap.export.signatures import PhotoCaptioner
from tfcap.runs.ensemble import restore, tuned_encoders
from tfcap.runs.workdir import Workdir, check_fits

SHORT = 12  # of a digest, shown


def photo_captioner(
    members: Sequence[Workdir],
    decoding: DecodingConfig,
    encoder_weights: str | None = None,
    encoder_model: str | None = None,
    half: bool = False,
    records: str | None = None,
) -> PhotoCaptioner:
    """The best checkpoint with its encoder in front.

    Args:
        members: one run, or several that write captions together
            (`tfcap.runs.ensemble.open_members`).
        encoder_weights, encoder_model: where the encoder's file lies; None for where
            the configuration says.
        half: weights in float16.
        records: directory of the records, for `decoding.consensus`.

    Raises:
        UserError: the encoder is not there, or not the one the records were made with;
            `consensus` without records, or with those of another model; its
            `regression` with records that keep no photos, where the encoder was
            trained along.
    """
    workdir = members[0]
    read = decoding.consensus and open_records(workdir, records)
    given = {"weights": encoder_weights, "model": encoder_model}
    paths = {kind: path for kind, path in given.items() if path}
    model, _ = restore([with_encoder_at(run, paths) for run in members])
    tuned, *_ = tuned_encoders(model)  # of all members, or of none
    own = tuned and tuned.frozen()
    mbr_scorer = read and MbrScorer.of_split(
        [FeatureSource(read, own)], "train", decoding.consensus
    )
    manifest = workdir.manifest
    return PhotoCaptioner(
        own or encoder_of_records(workdir, paths),
        model,
        workdir.vocabulary,
        manifest.tokenizer,
        decoding,
        "float32" if own else manifest.features.dtype,
        half,
        mbr_scorer,
    )


def with_encoder_at(run: Workdir, paths: dict[str, str]) -> Workdir:
    """The run, of whose encoder `paths` say where its file lies now."""
    encoder = moved(run.config.encoder, paths)
    return replace(run, config=run.config.model_copy(update={"encoder": encoder}))


def open_records(workdir: Workdir, directory: str | None) -> RecordSet:
    """Whose captions `decoding.consensus` compares by."""
    if directory is None:
        raise UserError(
            "decoding.consensus compares captions by how rare their words are in the "
            "training captions: say with --records where the records are"
        )
    records = RecordSet.open(directory)
    check_fits(workdir, records)
    return records


def encoder_of_records(workdir: Workdir, paths: dict[str, str]) -> Encoder:
    """The encoder the records were made with; `paths` say where its file lies now."""
    config = moved(workdir.config.encoder, paths)
    encoder = load_encoder(config)
    expected = workdir.manifest.encoder.digest
    if encoder.info.digest != expected:
        what = config.model or f"{config.name} with weights {config.weights}"
        digests = encoder.info.digest[:SHORT], expected[:SHORT]
        raise UserError(
            f"the encoder {what} is not the one the records were made with: its digest "
            f"is {digests[0]}…, theirs {digests[1]}…. Pass theirs with "
            f"--encoder_{kind_of_file(config)}"
        )
    return encoder
