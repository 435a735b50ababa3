"""METEOR and SPICE, where Java and their data are there; `pycocoevalcap` runs them.

METEOR: Denkowski and Lavie, "Meteor Universal", 2014; jar and paraphrases come with the
package. SPICE: Anderson et al., "SPICE: Semantic Propositional Image Caption
Evaluation", ECCV 2016; its parser does not come with it, and is never downloaded here.
SPICE 1.0 takes its script engine from Java, which has had none since Java 15.
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
SPICES_JAVA = range(8, 15)


@dataclass(frozen=True)
class JavaScores:
    """What Java's scorers say.

    Attributes:
        scores, shuffled: by name, fractions; of captions, and of the control.
        left_out: name -> why there is none.
    """

    scores: dict[str, float] = field(default_factory=dict)
    shuffled: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict[str, dict]:
        return {
            "scores": self.scores,
            "shuffled_photos": self.shuffled,
            "left_out": self.left_out,
        }


def score(
    captions: Mapping[str, str],
    shuffled: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
) -> JavaScores:
    """METEOR and SPICE, means over photos; what is missing is looked for first.

    Args:
        captions, references: as for `tfcap.metrics.scoring.score`.
        shuffled: the control, scored alike.
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
            scores[name] = means(scorer(), [captions, shuffled], references)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            left_out[name] = f"Java failed: {type(error).__name__} {error}"
    own, control = ({name: pair[i] for name, pair in scores.items()} for i in (0, 1))
    return JavaScores(own, control, left_out)


def means(scorer, results: Sequence[Mapping[str, str]], references) -> list[float]:
    """Of each result, from one start of Java: that is what takes long."""
    with redirect_stdout(sys.stderr):
        return [
            float(scorer.compute_score(*normalized(captions, references)[:2])[0])
            for captions in results
        ]


def missing(name: str) -> str | None:
    """What a scorer needs and is not there; None if all is."""
    if not shutil.which("java"):
        return "there is no `java`"
    if name == "spice" and (version := java_version()) not in SPICES_JAVA:
        return f"SPICE 1.0 needs Java 8 to 14; this is {version}"
    (package,) = pycocoevalcap.__path__
    for file in NEEDED[name]:
        path = os.path.join(package, *file.split("/"))
        if not os.path.exists(path):
            return f"{path} is not there; {REMEDY[name]}"
    return None


def java_version() -> int | None:
    """8 of "1.8.0_292", 17 of "17.0.15"; None if it cannot be told."""
    said = subprocess.run(["java", "-version"], capture_output=True, text=True).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found[1]) if found else None
