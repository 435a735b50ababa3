"""Captions of a whole split and their scores, with a control on mismatched photos."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from typing import Any

import tensorflow as tf
from rich.progress import Task
from rich.table import Table

from records.console import number_table
from records.format.caption_reader import read_texts
from records.format.photos import Photos
from records.format.record_set import RecordSet
from records.progress_line import (
    ProgressLine,
    comma_separated,
    done_of_total,
    time_left,
)
from records.status_line import status_line
from records.storage.files import as_utf8, make_output, write_together
from records.storage.photo_directory import PhotoFolder
from records.wording import counted, percent
from tfcap.config.decoding import ResolvedDecoding
from tfcap.data.features import FeatureSource, distinct, photos_of
from tfcap.decoding.ensemble import Ensemble
from tfcap.decoding.mbr import MbrScorer
from tfcap.decoding.output import detokenize
from tfcap.decoding.searching import search
from tfcap.evaluation.comparison import Comparison, Earlier
from tfcap.evaluation.gallery.entries import Entry
from tfcap.evaluation.gallery.page import write_gallery
from tfcap.metrics import java, scoring
from tfcap.metrics.bootstrap import Interval, intervals
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

    >>> from records import RecordSet
    >>> from tfcap.evaluation import evaluate
    >>> from tfcap.runs.workdir import Workdir
    >>> run, records = Workdir.open("runs/demo"), RecordSet.open("data/records")
    >>> longest = records.manifest.longest_training_caption
    >>> settings = run.config.decoding.resolve_max_length(longest)
    >>> result = evaluate([run], [records], "dev", settings)
    >>> len(result.captions), sorted(result.summary())[:3]
    (7, ['captions', 'intervals', 'java'])

    Attributes:
        captions: Photo id -> caption.
        likelihoods: Photo id -> mean log-probability of the caption's tokens.
        references: Photo id -> captions as in the source.
        scores: Scores of the captions.
        mismatched_scores: Scores of the same captions on other photos (control).
        settings: Everything needed to compare the scores with others.
        java: METEOR and SPICE, if Java computed them.
        comparison: Comparison with another result, if there is one.
    """

    captions: dict[str, str]
    likelihoods: dict[str, float]
    references: dict[str, tuple[str, ...]]
    scores: scoring.Scores
    mismatched_scores: scoring.Scores
    settings: dict[str, Any]
    java: JavaScores = field(default_factory=JavaScores)
    comparison: Comparison | None = None

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """The 95 % confidence interval of each score, those by Java excluded."""
        return intervals(self.scores)

    def summary(self) -> dict[str, Any]:
        """Returns the object that `tfcap evaluate --json` prints."""
        summary = {
            "scores": self.scores.corpus,
            "intervals": self.intervals,
            "shuffled_photos": self.mismatched_scores.corpus,
            "java": self.java.summary(),
            "captions": scoring.describe(self.captions),
            "settings": self.settings,
        }
        if self.comparison:
            summary["against"] = self.comparison.summary()
        return summary

    def rows(self) -> dict[str, tuple[float, float]]:
        """Returns each score, those by Java included, and that of the control."""
        scores = self.scores.corpus | self.java.scores
        control = self.mismatched_scores.corpus | self.java.mismatched_scores
        return {name: (scores[name], control[name]) for name in scores}

    def with_java(self) -> "Evaluation":
        """Returns the evaluation with METEOR and SPICE, where Java can compute them."""
        mismatched = scoring.mismatched_photos(self.captions, SHUFFLE_SEED)
        java_scores = java.score(self.captions, mismatched, self.references)
        return replace(self, java=java_scores)

    def beside(self, earlier: Earlier) -> "Evaluation":
        """Returns the evaluation with a comparison with an earlier result.

        Raises:
            UserError: The earlier result has other photos or references.
        """
        comparison = Comparison.of([self.scores], self.references, earlier)
        return replace(self, comparison=comparison)


def evaluate(
    members: Sequence[Workdir],
    record_sets: Sequence[RecordSet],
    split: str,
    decoding: ResolvedDecoding,
) -> Evaluation:
    """Captions every photo of a split with the best checkpoint, and scores them.

    >>> from records import RecordSet
    >>> from tfcap.evaluation import evaluate
    >>> from tfcap.runs.workdir import Workdir
    >>> run, records = Workdir.open("runs/demo"), RecordSet.open("data/records")
    >>> longest = records.manifest.longest_training_caption
    >>> settings = run.config.decoding.resolve_max_length(longest)
    >>> result = evaluate([run], [records], "dev", settings)
    >>> sorted(result.scores.corpus)
    ['bleu_1', 'bleu_2', 'bleu_3', 'bleu_4', 'cider', 'rouge_l']

    Args:
        members: One run, or those of an ensemble (`tfcap.runs.ensemble.open_members`).
        record_sets: Records of the same photos. A model reads those it was made for.
        split: `train`, `dev` or `test`.
        decoding: Settings of the search.

    Raises:
        UserError: The records do not fit the models, have no photo in the split, or
            keep no photos for an encoder that was trained with the model.
    """
    members_records = [record_sets[match_records(run, record_sets)] for run in members]
    records = members_records[0]
    references = dict(read_texts(records, split))
    with status_line("loading the model"):
        model, about = restore(members)
    sources = feature_sources(model, members_records)
    captions, likelihoods = caption_split(model, sources, split, decoding)
    mismatched = scoring.mismatched_photos(captions, SHUFFLE_SEED)
    with status_line("scoring the captions"):
        scores = scoring.score(captions, references)
        mismatched_scores = scoring.score(mismatched, references)
    settings = {
        "split": split,
        "photos": len(captions),
        "references": sum(map(len, references.values())),
        "references_per_photo": references_per_photo(references),
        **about,
        **describe_search(sources, decoding),
        **describe_scorer(scores),
    }
    return Evaluation(
        captions, likelihoods, references, scores, mismatched_scores, settings
    )


def describe_search(
    sources: Sequence[FeatureSource], decoding: ResolvedDecoding
) -> dict[str, Any]:
    """Returns the settings of the search, the tokenizer and the encoders."""
    return {
        **decoding.model_dump(),
        "tokenizer": sources[0].records.manifest.tokenizer.model_dump(),
        "encoders": [
            source.info.model_dump(exclude={"preprocessing"})
            for source in distinct(sources)
        ],
    }


def describe_scorer(scores: scoring.Scores) -> dict[str, Any]:
    """Returns the scorer, and why coco-caption would compute other scores."""
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


def references_per_photo(references: References) -> str:
    """Returns the number of references per photo, as `5` or `3 to 5`."""
    counts = set(map(len, references.values()))
    return " to ".join(map(str, sorted({min(counts), max(counts)})))


def caption_split(
    model: CaptioningModel | Ensemble,
    sources: Sequence[FeatureSource],
    split: str,
    decoding: ResolvedDecoding,
) -> tuple[dict[str, str], dict[str, float]]:
    """Captions the photos of a split.

    Args:
        model: A model or an ensemble.
        sources: Features for the model, or for each of the ensemble.
        split: `train`, `dev` or `test`.
        decoding: Settings of the search.

    Returns:
        Photo id -> caption, and photo id -> mean log-probability of its tokens.

    Raises:
        UserError: The sources do not hold the same photos in the same order.
    """
    caption_batch = make_caption_function(model, sources, decoding)
    captions: dict[str, str] = {}
    likelihoods: dict[str, float] = {}
    total = sources[0].records.manifest.photos(split)
    with ProgressLine(figures) as bar:
        task = bar.add_task("captioning", total=total)
        for ids, features in photos_of(distinct(sources), split, BATCH):
            texts, scores = caption_batch(*features)
            captions |= zip(ids, (text.decode() for text in texts.numpy()))
            likelihoods |= zip(ids, scores.numpy().tolist())
            bar.advance(task, len(ids))
    return captions, likelihoods


def figures(task: Task) -> str:
    """Returns photos done and the time left; before the first batch what is done."""
    rest = time_left(task) if task.completed else "compiling, up to a minute"
    return comma_separated(done_of_total(task), rest)


def make_caption_function(
    model: CaptioningModel | Ensemble,
    sources: Sequence[FeatureSource],
    decoding: ResolvedDecoding,
) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Returns a graph that captions a batch of photos.

    Models of an ensemble may share a source. The graph takes the features of each
    distinct source once, [photos, *shape], and passes every model those it was made
    for.

    Returns:
        Features of each of `distinct(sources)` -> captions, string [photos], and their
        mean log-probabilities, float32 [photos].
    """
    records, inputs = sources[0].records, distinct(sources)
    input_keys = [source.key for source in inputs]
    input_of_model = [input_keys.index(source.key) for source in sources]
    tokenizer = records.manifest.tokenizer
    mbr_scorer = (
        MbrScorer.of_split(sources, "train", decoding.consensus)
        if decoding.consensus
        else None
    )

    @tf.function(input_signature=[source.spec for source in inputs], autograph=False)
    def caption_batch(*features: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # One tensor stands for all models that read it.
        shared = len(inputs) == 1
        captions = search(
            model,
            features[0] if shared else [features[i] for i in input_of_model],
            decoding,
            records.vocabulary,
            tokenizer,
            mbr_scorer,
        )
        best = detokenize(captions.tokens[:, 0], records.vocabulary, tokenizer)
        return best, captions.mean_log_probability()[:, 0]

    return caption_batch


def save(evaluation: Evaluation, folder: str) -> None:
    """Writes the scores, and captions and references in COCO's formats."""
    contents = {
        RESULTS: coco_results(evaluation.captions),
        REFERENCES: coco_references(evaluation.references),
        SCORES: evaluation.summary(),
    }
    write_results(contents, folder)


def write_results(contents: dict[str, Any], folder: str) -> None:
    """Writes JSON files, all of them or none.

    Args:
        contents: Name of each file -> its content.
        folder: Their directory.
    """
    make_output(folder, "--output")
    texts = {
        os.path.join(folder, name): json.dumps(content, indent=1, ensure_ascii=False)
        for name, content in contents.items()
    }
    write_together({p: as_utf8(f"{text}\n").encode() for p, text in texts.items()})


def save_gallery(evaluation: Evaluation, photos: Photos, folder: str) -> str:
    """Writes the gallery and returns the path of its page.

    Args:
        evaluation: Captions and scores.
        photos: Photo files, which may lie in subdirectories; or photos in containers.
        folder: Directory of the page.
    """
    per_photo = evaluation.scores.per_photo
    files = photos if isinstance(photos, PhotoFolder) else None
    entries = [
        Entry(
            photo_id=photo_id,
            photo_path=files.find(photo_id) if files else None,
            caption=caption,
            score=evaluation.likelihoods[photo_id],
            references=evaluation.references[photo_id],
            # Rounded, so that a score on the edge of a bar is a whole number.
            cider=round(100 * per_photo[photo_id]["cider"], 6),
            bleu_4=100 * per_photo[photo_id]["bleu_4"],
            rouge_l=100 * per_photo[photo_id]["rouge_l"],
        )
        for photo_id, caption in sorted(evaluation.captions.items())
    ]
    title = f"{counted(len(entries), 'caption')}, split {evaluation.settings['split']}"
    rows, settings = evaluation.rows(), evaluation.settings
    packed = None if files else photos
    return write_gallery(folder, entries, rows, settings, title, photos=packed)


def score_table(evaluation: Evaluation) -> Table:
    """Returns a table of the scores beside those of the control, in percent."""
    table = number_table("percent", "photos in order (95 %)", "photos shuffled")
    for name, (score, control) in evaluation.rows().items():
        interval = evaluation.intervals.get(name)
        table.add_row(name, percent(score, interval), percent(control))
    return table
