"""METEOR and SPICE, run by `pycocoevalcap` where Java and their data are installed.

METEOR: Denkowski and Lavie, "Meteor Universal", 2014; jar and paraphrases come with the
package. SPICE: Anderson et al., "SPICE: Semantic Propositional Image Caption
Evaluation", ECCV 2016; the package lacks its parser, which is never downloaded here.
SPICE 1.0 needs a script engine, which Java has had none of since Java 15.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field

import pycocoevalcap
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.spice.spice import Spice

from tfcap.metrics.scoring import CHARACTER, normalized

SCORERS = {"meteor": Meteor, "spice": Spice}
NEEDED = {
    "meteor": ("meteor/meteor-1.5.jar", "meteor/data/paraphrase-en.gz"),
    "spice": (
        "spice/spice-1.0.jar",
        "spice/lib/stanford-corenlp-3.6.0.jar",
        "spice/lib/stanford-corenlp-3.6.0-models.jar",
    ),
}
REMEDY = {
    "meteor": "install pycocoevalcap again",
    "spice": "its parser, stanford-corenlp-3.6.0.jar and -models.jar (380 MB), is put "
    "there by hand: edu.stanford.nlp:stanford-corenlp:3.6.0 of Maven Central",
}
BY_CHARACTER = "it compares words, which these captions have no spaces between"
SPICE_JAVA = range(8, 15)


@dataclass(frozen=True)
class JavaScores:
    """The scores that Java computes, by name, as fractions.

    Attributes:
        scores: Scores of the captions.
        mismatched_scores: Scores of the control (`scoring.mismatched_photos`).
        left_out: Name -> why there is no such score.
    """

    scores: dict[str, float] = field(default_factory=dict)
    mismatched_scores: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict[str, dict]:
        return {
            "scores": self.scores,
            "shuffled_photos": self.mismatched_scores,
            "left_out": self.left_out,
        }


def score(
    captions: Mapping[str, str],
    mismatched: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
) -> JavaScores:
    """Computes METEOR and SPICE, means over photos, where their files are installed.

    Args:
        captions: As for `tfcap.metrics.scoring.score`.
        mismatched: The control (`scoring.mismatched_photos`), scored the same way.
        references: As for `tfcap.metrics.scoring.score`.
    """
    texts = normalized(captions, references)
    if texts.unit == CHARACTER:
        return JavaScores(left_out=dict.fromkeys(SCORERS, BY_CHARACTER))
    left_out = {name: why for name in SCORERS if (why := missing(name))}
    scores = {}
    for name, scorer in SCORERS.items():
        if name in left_out:
            continue
        try:
            scores[name] = means(scorer(), [captions, mismatched], references)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            left_out[name] = f"Java failed: {type(error).__name__} {error}"
    caption_scores = {name: pair[0] for name, pair in scores.items()}
    control_scores = {name: pair[1] for name, pair in scores.items()}
    return JavaScores(caption_scores, control_scores, left_out)


def means(
    scorer: Meteor | Spice,
    results: Sequence[Mapping[str, str]],
    references: Mapping[str, Sequence[str]],
) -> list[float]:
    """Returns the mean score of each result; starts Java, which is slow, only once."""
    with redirect_stdout(sys.stderr):
        return [
            float(scorer.compute_score(*normalized(captions, references)[:2])[0])
            for captions in results
        ]


def missing(name: str) -> str | None:
    """Returns what a scorer lacks, or None if nothing is missing."""
    if not shutil.which("java"):
        return "there is no `java`"
    if name == "spice" and (version := java_version()) not in SPICE_JAVA:
        return f"SPICE 1.0 needs Java 8 to 14; this is {version}"
    (package,) = pycocoevalcap.__path__
    for file in NEEDED[name]:
        path = os.path.join(package, *file.split("/"))
        if not os.path.exists(path):
            return f"{path} is not there; {REMEDY[name]}"
    return None


def java_version() -> int | None:
    """Returns 8 for "1.8.0_292" and 17 for "17.0.15"; None if it is unknown."""
    output = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    match = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(match[1]) if match else None
