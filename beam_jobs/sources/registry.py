"""Sources by the name after `--source`.

The sources of tfcap are here. `register_source` adds one in this process. An installed
package adds one by an entry point in the group `tfcap.sources`, under the same name as
in the class:

    [project.entry-points."tfcap.sources"]
    tsv = "my_package.tsv:Tsv"

A job carries the class to its workers by its module and name, so that the package must
be installed there too.
"""

import inspect
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from beam_jobs.sources.base import Source
from beam_jobs.sources.coco import Coco
from beam_jobs.sources.flickr8k import Flickr8k
from beam_jobs.sources.flickr30k import Flickr30k
from beam_jobs.sources.imagefolder import ImageFolder
from beam_jobs.sources.jsonl import Jsonl
from beam_jobs.sources.karpathy import Karpathy
from beam_jobs.sources.parquet import Parquet
from beam_jobs.sources.webdataset import WebDataset
from records.errors import UserError

GROUP = "tfcap.sources"
SOURCES: dict[str, type[Source]] = {
    source.name: source
    for source in (
        *(Flickr8k, Flickr30k, Coco, Karpathy, Jsonl),
        *(ImageFolder, Parquet, WebDataset),
    )
}
SourceT = TypeVar("SourceT", bound=type[Source])


def register_source(source: SourceT) -> SourceT:
    """Adds a source to those that `--source` names, in this process.

    Can decorate the class. A class with the module and name of a registered one
    replaces it, so that a cell of a notebook can run twice.

    >>> from beam_jobs import Caption, Source, register_source
    >>> @register_source
    ... class FileNames(Source):
    ...     name = "file_names"
    ...     needs = "one --captions FILE, a line for each photo: a-dog-runs.jpg"
    ...
    ...     @staticmethod
    ...     def read(option):
    ...         for number, line in enumerate(open(option, encoding="utf-8")):
    ...             text = line.partition(".")[0].replace("-", " ")
    ...             yield Caption(line.strip(), 0, f"{option}:{number + 1}", text)

    `tfcap build --source file_names` then splits the photos by `--split_fractions`.

    Args:
        source: A subclass of `Source` with `name`, `needs` and `read`.

    Returns:
        The class.

    Raises:
        TypeError: It is no such class.
        ValueError: Another source has its name.
    """
    check_source(source)
    other = SOURCES.get(source.name, source)
    if path_of(other) != path_of(source):
        raise ValueError(
            f"--source {source.name} is {path_of(other)}; give {path_of(source)} "
            "another name"
        )
    SOURCES[source.name] = source
    return source


def check_source(source: object) -> None:
    """Raises TypeError, with the reason, where a class is no usable source."""
    if not (isinstance(source, type) and issubclass(source, Source)):
        raise TypeError(f"expected a subclass of beam_jobs.Source; received {source!r}")
    for text in ("name", "needs"):
        if not isinstance(getattr(source, text, None), str):
            raise TypeError(f"{path_of(source)} has no text {text!r}")
    if inspect.isabstract(source):
        missing = ", ".join(sorted(source.__abstractmethods__))
        raise TypeError(f"{path_of(source)} does not define {missing}")
    if not isinstance(inspect.getattr_static(source, "read"), staticmethod):
        raise TypeError(f"{path_of(source)}.read must be a @staticmethod of a path")


def path_of(source: type) -> str:
    return f"{source.__module__}.{source.__qualname__}"


def source_names() -> list[str]:
    """Returns the names of all sources; imports no other package."""
    return list({**SOURCES, **{entry.name: None for entry in packaged_sources()}})


def packaged_sources() -> list[EntryPoint]:
    return sorted(entry_points(group=GROUP), key=lambda entry: entry.value)


def find_source(name: str) -> type[Source]:
    """Returns the source of a name; imports the package that adds it.

    Raises:
        UserError: the package cannot be imported, or its source cannot be used.
    """
    for entry in packaged_sources():
        if entry.name == name:
            load_source(entry)
    return SOURCES[name]


def load_source(entry: EntryPoint) -> None:
    """Registers the source of an entry point.

    Raises:
        UserError: it cannot be imported or used, or has another name.
    """
    try:
        source = register_source(entry.load())
    except Exception as error:  # of another package's code
        raise UserError(
            f"--source {entry.name}: cannot use {entry.value} "
            f"({type(error).__name__}: {error}); update or remove the package that "
            "adds it"
        ) from error
    if source.name != entry.name:
        raise UserError(
            f"--source {entry.name}: {entry.value} has the name {source.name!r}; "
            f"expected {entry.name!r}, as in the entry point"
        )


def describe_source(name: str) -> str:
    """Returns what a source needs, or why it cannot be used."""
    try:
        return f"{name}: {find_source(name).needs}"
    except UserError as error:
        return str(error)
