"""Reads commands, code and names from the pages of the documentation."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PROGRAMS = {
    ("tfcap",): "tfcap",
    ("python", "-m", "records"): "records",
    ("python", "-m", "beam_jobs.build_records"): "build",
    ("python", "-m", "beam_jobs.caption_photos"): "caption-photos",
}
BEFORE_A_COMMAND = re.compile(r"^(\$ |srun |[A-Z_]+=('[^']*'|\S*) |--\S+ )+")


class Command(NamedTuple):
    """A command of a page.

    Attributes:
        page: path below the repository.
        words: of the command line, from the subcommand on.
        whole: it stands in a block of code and leaves nothing out.
    """

    page: str
    words: list[str]
    whole: bool

    def __str__(self) -> str:
        return f"{self.page}: tfcap {shlex.join(self.words)}"


def pages() -> dict[str, str]:
    """Returns the text of each page by its path."""
    paths = [
        *ROOT.glob("*.md"),
        *(p for p in ROOT.glob("docs/**/*.md") if "generated" not in p.parts),
        *(p for name in ("beam_jobs", "deploy", "tests/benchmarks", "tfcap")
          for p in (ROOT / name).glob("**/README.md")),
    ]  # fmt: skip
    texts = {str(p.relative_to(ROOT)): p.read_text("utf-8") for p in sorted(paths)}
    recipes = sorted(ROOT.glob("configs/*.yaml"))
    return texts | {f"configs/{p.name}": head(p.read_text("utf-8")) for p in recipes}


def head(configuration: str) -> str:
    """Returns the comments of a configuration as a page; its commands are indented."""
    comments = "".join(re.findall(r"^#(.*\n)", configuration, re.M))
    return re.sub(r"^ {3}", " " * 4, comments, flags=re.M)


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yields language and content of each block of code, fenced or indented."""
    for found in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.M | re.S):
        yield found[1].strip(), found[2]
    unfenced = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    for found in re.finditer(r"(?<=\n\n)(?: {4}.*\n)+", unfenced):
        yield "", re.sub(r"^ {4}", "", found[0], flags=re.M)


def inline(text: str) -> list[str]:
    """Returns what stands between single backticks, outside blocks."""
    unfenced = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", unfenced)]


def commands() -> Iterator[Command]:
    """Yields every command of ours on every page."""
    for page, text in pages().items():
        for language, block in blocks(text):
            if language in ("", "bash", "sh", "text"):
                for line in re.sub(r"\\\n\s*", "", block).splitlines():
                    yield from command(page, line, True)
        for code in inline(text):
            yield from command(page, code, False)


def command(page: str, line: str, whole: bool) -> Iterator[Command]:
    line = BEFORE_A_COMMAND.sub("", line)
    try:
        words = shlex.split(line, comments=True)
    except ValueError:  # no command line
        return
    for program, name in PROGRAMS.items():
        if tuple(words[: len(program)]) == program:
            rest = words[len(program) :]
            first = [] if name in ("tfcap", "records") else [name]
            whole = whole and "..." not in rest
            if rest and not {"--help", "--version"} & set(rest):
                words = [*first, *(w for w in rest if w != "...")]
                yield Command(page, words, whole)
                if words[0] == "launch" and "--" in words[:-1]:
                    yield Command(page, words[words.index("--") + 1 :], whole)
