"""Captions of a whole split and their scores, with the shuffled-photos control."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import tensorflow as tf
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from records.console import number_table
from records.format.caption_reader import read_texts
from records.format.record_set import RecordSet
from records.storage.files import make_output, write_text
from records.storage.photo_directory import PhotoFolder
from tfcap.config.decoding import DecodingConfig
from tfcap.data.features import FeatureSource, distinct, photos_of
from tfcap.decoding import MbrScorer, detokenize, search
from tfcap.decoding.ensemble import Ensemble
from tfcap.evaluation.comparison import Comparison, Earlier
from tfcap.evaluation.gallery import Entry, write_gallery
from tfcap.metrics import java, scoring
from tfcap.metrics.bootstrap import Result
from tfcap.metrics.coco_format import (
    REFERENCES,
    RESULTS,
    References,
    coco_references,
    coco_results,
)
from tfcap.metrics.java import JavaScores
from tfcap.models.base import CaptioningModel
from tfcap.runs.ensemble import SCORES, feature_sources, match_records, restore
from tfcap.runs.workdir import Workdir

BATCH = 100
SHUFFLE_SEED = 0


@dataclass(frozen=True)
class Evaluation:
    """Captions and scores of one split.

    Attributes:
        captions: photo id -> caption.
        likelihoods: photo id -> mean log-probability of its tokens.
        references: photo id -> raw captions of the source.
        scores, shuffled: of the model, and of its captions dealt to other photos.
        settings: everything a reader needs to compare them with others'.
        java: METEOR and SPICE, if Java was to score them.
        comparison: with another result, if there is one.
    """

    captions: dict[str, str]
    likelihoods: dict[str, float]
    references: dict[str, tuple[str, ...]]
    scores: scoring.Scores
    shuffled: scoring.Scores
    settings: dict[str, Any]
    java: JavaScores = field(default_factory=JavaScores)
    comparison: Comparison | None = None

    def summary(self) -> dict[str, Any]:
        """What `tfcap evaluate --json` prints."""
        compared = {}
        if self.comparison:
            compared = {"against": self.comparison.summary()}
        return {
            "scores": self.scores.corpus,
            "shuffled_photos": self.shuffled.corpus,
            "java": self.java.summary(),
            "captions": scoring.describe(self.captions),
            "settings": self.settings,
            **compared,
        }

    def rows(self) -> dict[str, tuple[float, float]]:
        """Name of each score, Java's too -> the score, and that of the control."""
        own = self.scores.corpus | self.java.scores
        control = self.shuffled.corpus | self.java.shuffled
        return {name: (own[name], control[name]) for name in own}

    def with_java(self) -> "Evaluation":
        """The same with METEOR and SPICE, as far as they can be had."""
        dealt = scoring.shuffled(self.captions, SHUFFLE_SEED)
        found = java.score(self.captions, dealt, self.references)
        return replace(self, java=found)

    def beside(self, earlier: Earlier) -> "Evaluation":
        """The same, compared with an earlier result.

        Raises:
            UserError: that is of other photos or references.
        """
        this = Result.of(self.captions, self.references, self.scores)
        found = Comparison.of(this, self.references, earlier)
        return replace(self, comparison=found)


def evaluate(
    members: Sequence[Workdir],
    record_sets: Sequence[RecordSet],
    split: str,
    decoding: DecodingConfig,
) -> Evaluation:
    """Captions every photo of a split with the best checkpoint, and scores them.

    Args:
        members: one run, or several that write captions together
            (`tfcap.runs.ensemble.open_members`).
        record_sets: of the same photos; a model reads the one it was made for.

    Raises:
        UserError: the records are not the models', or have no photo in the split;
            they keep no photos for an encoder that was trained along.
    """
    read = [record_sets[match_records(run, record_sets)] for run in members]
    records = read[0]
    references = read_references(records, split)
    model, about = restore(members)
    sources = feature_sources(model, read)
    captions, likelihoods = caption_split(model, sources, split, decoding)
    shuffled = scoring.shuffled(captions, SHUFFLE_SEED)
    scores = scoring.score(captions, references)
    settings = {
        "split": split,
        "photos": len(captions),
        "references": sum(map(len, references.values())),
        "references_per_photo": range_of(references),
        **about,
        **decoding.model_dump(),
        "tokenizer": records.manifest.tokenizer.model_dump(),
        "encoders": [
            source.info.model_dump(exclude={"preprocessing"})
            for source in distinct(sources)
        ],
        **describe_scorer(scores),
    }
    return Evaluation(
        captions,
        likelihoods,
        references,
        scores,
        scoring.score(shuffled, references),
        settings,
    )


def describe_scorer(scores: scoring.Scores) -> dict[str, Any]:
    """What the scores are made with, and where pycocoevalcap's own would differ."""
    units = "words as its Penn Treebank tokenizer makes them"
    if scores.unit == scoring.CHARACTER:
        units = "each character a word: the references have no spaces between words"
    about = {
        "scored_by": scores.unit,
        "scorer": f"pycocoevalcap {version('pycocoevalcap')}, {units}",
    }
    if scores.differs:
        about["pycocoevalcap_differs"] = "; ".join(scores.differs)
    return about


def read_references(records: RecordSet, split: str) -> dict[str, tuple[str, ...]]:
    """Photo id -> its captions as in the source."""
    return dict(read_texts(records, split))


def range_of(references: References) -> str:
    """How many a photo has, as `5` or `3 to 5`."""
    counts = sorted(map(len, references.values()))
    return " to ".join(str(n) for n in dict.fromkeys([counts[0], counts[-1]]))


def caption_split(
    model: CaptioningModel | Ensemble,
    sources: Sequence[FeatureSource],
    split: str,
    decoding: DecodingConfig,
) -> tuple[dict[str, str], dict[str, float]]:
    """Photo id -> caption, and -> its mean log-probability.

    Args:
        sources: of the model, or of each of an ensemble.

    Raises:
        UserError: their records do not hold the same photos in the same order.
    """
    records, once = sources[0].records, distinct(sources)
    keys = [source.key for source in once]
    which = [keys.index(source.key) for source in sources]
    tokenizer = records.manifest.tokenizer
    mbr_scorer = decoding.consensus and MbrScorer.of_split(
        sources, "train", decoding.consensus
    )

    @tf.function(input_signature=[one.spec for one in once], autograph=False)
    def write(*features):
        given = [features[i] for i in which] if len(once) > 1 else features[0]
        found = search(
            model, given, decoding, records.vocabulary, tokenizer, mbr_scorer
        )
        best = detokenize(found.tokens[:, 0], records.vocabulary, tokenizer)
        return best, found.mean_log_probability()[:, 0]

    captions, likelihoods = {}, {}
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("captioning", total=records.manifest.photos(split))
        for ids, features in photos_of(once, split, BATCH):
            texts, scores = write(*features)
            captions |= zip(ids, (text.decode() for text in texts.numpy()))
            likelihoods |= zip(ids, scores.numpy().tolist())
            bar.advance(task, len(ids))
    return captions, likelihoods


def save(evaluation: Evaluation, folder: str) -> None:
    """Writes scores, and captions and references in COCO's formats."""
    contents = {
        RESULTS: coco_results(evaluation.captions),
        REFERENCES: coco_references(evaluation.references),
        SCORES: evaluation.summary(),
    }
    write_results(contents, folder)


def write_results(contents: dict[str, Any], folder: str) -> None:
    """Writes JSON files, by name."""
    make_output(folder, "--output")
    for name, content in contents.items():
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_text(os.path.join(folder, name), text)


def save_gallery(evaluation: Evaluation, photos: str, folder: str) -> str:
    """Writes the gallery; the photo files lie in `photos` or in folders below."""
    per_photo, files = evaluation.scores.per_photo, PhotoFolder(photos)
    entries = [
        Entry(
            photo_id=photo_id,
            photo_path=files.find(photo_id),
            caption=caption,
            score=evaluation.likelihoods[photo_id],
            references=evaluation.references[photo_id],
            cider=per_photo[photo_id]["cider"],
            bleu_4=per_photo[photo_id]["bleu_4"],
            rouge_l=per_photo[photo_id]["rouge_l"],
        )
        for photo_id, caption in sorted(evaluation.captions.items())
    ]
    title = f"{len(entries)} captions, split {evaluation.settings['split']}"
    rows = evaluation.rows()
    summary = {
        "scores": {name: own for name, (own, _) in rows.items()},
        "shuffled_photos": {name: control for name, (_, control) in rows.items()},
        "settings": evaluation.settings,
    }
    return write_gallery(folder, entries, summary, title)


def score_table(evaluation: Evaluation) -> Table:
    """Scores beside those of the same captions on other photos, in percent."""
    table = number_table("percent", "photos in order", "photos shuffled")
    for name, pair in evaluation.rows().items():
        table.add_row(name, *(f"{100 * value:.1f}" for value in pair))
    return table
