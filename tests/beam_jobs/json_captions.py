"""Reads caption files of JSON, for tests of their sources."""

import json
from pathlib import Path

from beam_jobs.elements import Caption, Named, SplitAssignment
from beam_jobs.sources.registry import SOURCES
from records.format.rejects import Reject

NAMES = {
    Caption: "captions",
    Reject: "rejected",
    SplitAssignment: "splits",
    Named: "named",
}


def as_bytes(source: str, content) -> bytes:
    if source == "jsonl":
        lines = (x if isinstance(x, bytes) else json.dumps(x).encode() for x in content)
        return b"".join(line + b"\n" for line in lines)
    return json.dumps(content).encode()


def given(source: str, path: Path) -> str:
    return f"train={path}" if source == "coco" else str(path)


def read(source: str, path: Path) -> dict[str, list]:
    """What a reader yields, by kind."""
    found = {"captions": [], "rejected": [], "splits": []}
    for item in SOURCES[source].read(given(source, path)):
        found.setdefault(NAMES[type(item)], []).append(item)
    return found


def read_content(source: str, path: Path, content) -> dict[str, list]:
    path.write_bytes(as_bytes(source, content))
    return read(source, path)
