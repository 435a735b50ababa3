"""What `verify` says, in a form for tests."""

import re

from records.verification.verifier import verify


def problems(directory) -> list[tuple]:
    return [tuple(problem) for problem in verify(str(directory)).problems]


def says(found, file, record, pattern) -> bool:
    """Whether a problem of that file and record is described so."""
    return any(
        problem[:2] == (file, record) and re.search(pattern, problem[2])
        for problem in found
    )


def files(found) -> set[str]:
    return {file for file, _, _ in found}
