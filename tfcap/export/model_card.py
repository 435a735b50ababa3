"""What somebody who gets an export must know of it, as Markdown.

After Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import yaml

from records.errors import UserError
from records.format import sharding
from records.format.manifest import Manifest
from records.storage.files import exists, read_file
from tfcap.config.decoding import DecodingConfig
from tfcap.runs.ensemble import SCORES, results_folder
from tfcap.runs.workdir import Workdir

NO_LICENCE = (
    "not stated when this was exported. What the photos and captions may be used for, "
    "their source says; Flickr8k, Flickr30k and COCO allow research on photos that "
    "stay their owners'. (Say it: `tfcap export --data_licence TEXT`.)"
)
CARD = """# Model card: a photo captioner

Takes photos, gives one sentence each. Made by tfcap.

## Use

    tfcap caption --model DIR photo.jpg
    tfcap serve --model DIR

Or `tf.saved_model.load`, or TensorFlow Serving: signature `serving_default` takes
`image_bytes` (JPEG, PNG, GIF, BMP or WebP files) and gives `caption`, `score` (mean
log-probability of its tokens) and `error`. Others: `beams`, `explain`, `features`.
Needs TensorFlow {tensorflow} or later, which decodes WebP.

Not for describing photos to people who have no way to check the words. It says what it
was trained to say, of whatever it is shown: a confident caption may be wrong.

## Data

{data}

Licence of the data: {licence}

## Scores

{scores}

## Weights

{weights}

## Configuration

Search: {decoding}

```yaml
{configuration}```
"""


def describe(
    members: Sequence[Workdir],
    decoding: DecodingConfig,
    half: bool = False,
    licence: str | None = None,
) -> str:
    """The card's text.

    Args:
        members: the run, or those that write captions together.
        half: weights are float16.
        licence: of the data, in words.
    """
    workdir = members[0]
    configuration = workdir.config.model_dump(mode="json")
    return CARD.format(
        tensorflow=".".join(tf.__version__.split(".")[:2]),
        data=data_of(workdir.manifest),
        licence=licence or NO_LICENCE,
        scores="\n\n".join(filter(None, map(scores_of(members), sharding.SPLITS)))
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
    kept = (
        "Kept in float16, computed with in float32; `tfcap export --check` shows how "
        "far that moves the scores."
        if half
        else "float32."
    )
    if len(members) > 1:
        paths = ", ".join(run.path for run in members)
        kept += f" The mean of the probabilities of {len(members)} models: {paths}."
    further = "not trained further"
    if members[0].config.training.fine_tuning:
        further = "trained further with the captioner (`training.fine_tuning`)"
    return (
        f"{kept} Encoder: {encoder.name}, weights {encoder.weights}, digest "
        f"{encoder.digest}; {further}."
    )


def scores_of(members: Sequence[Workdir]):
    """Of a split: what `tfcap evaluate` found, or nothing."""
    paths = [run.path for run in members]

    def scores(split: str) -> str:
        path = os.path.join(results_folder(paths, split), SCORES)
        if not exists(path):
            return ""
        try:
            found = json.loads(read_file(path))
            # Another ensemble that begins with the same run.
            others = len(paths) > 1 and found["settings"]["models"] != paths
            return "" if others else table(split, found)
        except (ValueError, LookupError, TypeError) as error:
            raise UserError(
                f"{path} is not what this version's `tfcap evaluate` writes "
                f"({type(error).__name__}: {error}); run that again, or remove the file"
            ) from None

    return scores


def table(split: str, found: dict[str, Any]) -> str:
    settings = found["settings"]
    rows = [
        f"| {name} | {100 * value:.1f} | {100 * found['shuffled_photos'][name]:.1f} |"
        for name, value in found["scores"].items()
    ]
    made = (
        f"Split {split}, {settings['photos']:,} photos with {settings['references']:,} "
        f"references, in percent, by `tfcap evaluate`: beam width "
        f"{settings['beam_width']}, length exponent {settings['length_exponent']}, "
        f"seed {listed(settings['seeds'])}, {listed(settings['checkpoints'])}. Scorer: "
        f"{settings['scorer']}. Beside them, the same captions on other photos."
    )
    head = ["| | photos in order | photos shuffled |", "|---|---|---|"]
    return "\n".join([made, "", *head, *rows])


def listed(values: list) -> str:
    return ", ".join(map(str, values))
