"""Writes the model card of an export, by the template `model_card.md`.

Source: Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

import json
import os
from collections.abc import Sequence
from importlib import resources
from typing import Any

import tensorflow as tf
import yaml

from records.errors import UserError
from records.format import sharding
from records.format.manifest import Manifest
from records.storage.files import exists, read_file
from records.wording import percent
from tfcap.config.decoding import DecodingConfig
from tfcap.runs.ensemble import SCORES, results_folder
from tfcap.runs.workdir import Workdir

NO_LICENCE = (
    "not stated when this was exported. What the photos and captions may be used for, "
    "their source says; Flickr8k, Flickr30k and COCO allow research on photos that "
    "stay their owners'. (Say it: `tfcap export --data_licence TEXT`.)"
)


def describe(
    members: Sequence[Workdir],
    decoding: DecodingConfig,
    half: bool = False,
    licence: str | None = None,
) -> str:
    """Returns the card's text.

    Args:
        members: the run, or the runs of an ensemble.
        decoding: settings of the search.
        half: whether the weights are float16.
        licence: licence of the data, in words.

    Raises:
        UserError: a file of scores cannot be read.
    """
    workdir = members[0]
    configuration = workdir.config.model_dump(mode="json")
    template = resources.files("tfcap.export").joinpath("model_card.md")
    scores = [scores_of(members, split) for split in sharding.SPLITS]
    return template.read_text("utf-8").format(
        tensorflow=".".join(tf.__version__.split(".")[:2]),
        data=data_of(workdir.manifest),
        licence=licence or NO_LICENCE,
        scores="\n\n".join(filter(None, scores))
        or "None: `tfcap evaluate` had not been run when this was exported.",
        weights=weights_of(members, half),
        decoding=", ".join(f"{k} {v}" for k, v in decoding.model_dump().items()),
        configuration=yaml.safe_dump(configuration, sort_keys=False),
    )


def data_of(manifest: Manifest) -> str:
    rows = [
        f"| {split} | {manifest.photos(split):,} | {manifest.captions(split):,} |"
        for split in manifest.shards
    ]
    table = "\n".join(["| split | photos | captions |", "|---|---|---|", *rows])
    return f"{table}\n\nVocabulary: {manifest.vocabulary_size:,} tokens."


def weights_of(members: Sequence[Workdir], half: bool) -> str:
    encoder = members[0].manifest.encoder
    text = (
        "Kept in float16, computed with in float32; `tfcap export --check` shows how "
        "far that moves the scores."
        if half
        else "float32."
    )
    if len(members) > 1:
        paths = ", ".join(run.path for run in members)
        text += f" The mean of the probabilities of {len(members)} models: {paths}."
    further = "not trained further"
    if members[0].config.training.fine_tuning:
        further = "trained further with the captioner (`training.fine_tuning`)"
    return (
        f"{text} Encoder: {encoder.name}, weights {encoder.weights}, digest "
        f"{encoder.digest}; {further}."
    )


def scores_of(members: Sequence[Workdir], split: str) -> str:
    """Returns the scores that `tfcap evaluate` stored for a split; "" without any."""
    paths = [run.path for run in members]
    path = os.path.join(results_folder(paths, split), SCORES)
    if not exists(path):
        return ""
    try:
        results = json.loads(read_file(path))
        # The folder may hold scores of another ensemble that begins with the same run.
        is_other = len(paths) > 1 and results["settings"]["models"] != paths
        return "" if is_other else table(split, results)
    except (ValueError, LookupError, TypeError) as error:
        raise UserError(
            f"{path} is not what this version's `tfcap evaluate` writes "
            f"({type(error).__name__}: {error}); run that again, or remove the file"
        ) from None


def table(split: str, results: dict[str, Any]) -> str:
    settings = results["settings"]
    controls, intervals = results["shuffled_photos"], results.get("intervals", {})
    cells = [
        (name, percent(value, intervals.get(name)), percent(controls[name]))
        for name, value in results["scores"].items()
    ]
    rows = [f"| {' | '.join(row)} |" for row in cells]
    text = (
        f"Split {split}, {settings['photos']:,} photos with {settings['references']:,} "
        f"references, in percent, by `tfcap evaluate`: beam width "
        f"{settings['beam_width']}, length exponent {settings['length_exponent']}, "
        f"seed {listed(settings['seeds'])}, {listed(settings['checkpoints'])}. Scorer: "
        f"{settings['scorer']}. In brackets, 95 % intervals. Beside them, the same "
        "captions on other photos."
    )
    head = ["| | photos in order | photos shuffled |", "|---|---|---|"]
    return "\n".join([text, "", *head, *rows])


def listed(values: list) -> str:
    return ", ".join(map(str, values))
