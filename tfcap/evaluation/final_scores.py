"""The file `final.json` of a work directory: each time its final photos were scored.

A score is honest if no setting was chosen by it. The photos of the split `test` are
therefore scored once, at the end (`tfcap evaluate --final`). The file shows how often
that was.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from typing import Any, Final, Literal

from pydantic import AwareDatetime

from records.format.record_set import RecordSet
from records.format.versions import load_versioned
from records.frozen_model import FrozenModel
from records.storage.files import exists, file_digest, make_output, write_atomically
from records.storage.locks import locked
from records.wording import counted
from tfcap.config.decoding import ResolvedDecoding
from tfcap.evaluation.evaluator import Evaluation
from tfcap.runs.checkpoints import DIGESTS
from tfcap.runs.ensemble import match_records
from tfcap.runs.workdir import Workdir

FILE_NAME = "final.json"
SPLIT = "test"
FORMAT: Final = 1


class FinalScore(FrozenModel):
    """One scoring of the final photos.

    Attributes:
        time: Its time, in UTC.
        records: Digest of the record set's content (`Manifest.content_digest`).
        checkpoint: SHA-256 of the checkpoint's list of digests, in hexadecimal.
        models: Work directories of the models: several of an ensemble.
        decoding: Settings of the search.
        scores: The scores, as fractions.
    """

    time: AwareDatetime
    records: str
    checkpoint: str
    models: tuple[str, ...]
    decoding: dict[str, Any]
    scores: dict[str, float]


class FinalScores(FrozenModel):
    """The content of `final.json`, the oldest scoring first."""

    format: Literal[1] = FORMAT
    scored: tuple[FinalScore, ...] = ()

    def times_of(self, records: RecordSet) -> list[datetime]:
        """Returns the times at which the photos of a record set were scored."""
        digest = records.manifest.content_digest
        return [score.time for score in self.scored if score.records == digest]


def load_final_scores(run: Workdir) -> FinalScores:
    """Reads the file of a run; the result is empty if there is none.

    Raises:
        UserError: A newer version wrote it, or it is damaged.
    """
    path = run.folder(FILE_NAME)
    if not exists(path):
        return FinalScores()
    remedy = (
        "Put it back from a copy, or remove it: nothing then shows how often the final "
        "photos were scored"
    )
    return load_versioned(FinalScores, path, FORMAT, remedy)


@contextmanager
def lock_final_scores(members: Sequence[Workdir]) -> Iterator[None]:
    """Keeps other final scorings of the same runs out while the body runs.

    Two at once would not warn of each other, and one would replace the other's entry.

    Raises:
        UserError: Another process, which is named, scores one of the runs for good.
    """
    with ExitStack() as stack:
        for run in {member.path: member for member in members}.values():
            folder = run.folder("evaluation")
            make_output(folder, "--final")
            stack.enter_context(locked(folder, run.folder(FILE_NAME), "--final"))
        yield


def warn_of_earlier(
    members: Sequence[Workdir], record_sets: Sequence[RecordSet]
) -> Iterator[str]:
    """Yields a warning for each run whose final photos were scored before.

    Args:
        members: One run, or those of an ensemble.
        record_sets: Records of the same photos. A model reads those it was made for.
    """
    for run, records in pairs(members, record_sets):
        if times := load_final_scores(run).times_of(records):
            dates = ", ".join(f"{time:%Y-%m-%d %H:%M} UTC" for time in times)
            yield (
                f"warning: the final photos of {records.directory} were scored "
                f"{counted(len(times), 'time')} before with {run.path} ({dates}). If a "
                "setting was chosen since, this score is optimistic"
            )


def add_final_scores(
    members: Sequence[Workdir],
    record_sets: Sequence[RecordSet],
    decoding: ResolvedDecoding,
    evaluation: Evaluation,
) -> None:
    """Adds a scoring to the file of each run.

    Args:
        members: One run, or those of an ensemble.
        record_sets: Records of the same photos. A model reads those it was made for.
        decoding: Settings of the search.
        evaluation: The scores.
    """
    now = datetime.now(timezone.utc).replace(microsecond=0)
    for run, records in pairs(members, record_sets):
        score = FinalScore(
            time=now,
            records=records.manifest.content_digest,
            checkpoint=file_digest(os.path.join(run.best_state(), DIGESTS)),
            models=tuple(member.path for member in members),
            decoding=decoding.model_dump(mode="json"),
            scores={name: score for name, (score, _) in evaluation.rows().items()},
        )
        scores = FinalScores(scored=(*load_final_scores(run).scored, score))
        text = scores.model_dump_json(indent=1)
        write_atomically(run.folder(FILE_NAME), f"{text}\n".encode())


def pairs(
    members: Sequence[Workdir], record_sets: Sequence[RecordSet]
) -> Iterator[tuple[Workdir, RecordSet]]:
    """Yields each run with the record set that its model reads."""
    for run in members:
        yield run, record_sets[match_records(run, record_sets)]
