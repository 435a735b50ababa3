"""Sources of other packages: registered in Python, or by an entry point."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from small_data import SPLIT_OF, SmallData, build, contents

from beam_jobs import Caption, Source, SplitAssignment, register_source
from beam_jobs.build_job import Job
from beam_jobs.sources import registry
from records.errors import UserError

ROOT = Path(__file__).parents[3]
TSV = '''
from beam_jobs import Caption, Source, SplitAssignment

class Tsv(Source):
    """Lines of photo<TAB>split<TAB>caption."""

    name = "tsv"
    needs = "one --captions FILE, 100 % of its lines with two tabs"

    @staticmethod
    def read(option):
        with open(option, encoding="utf-8") as file:
            for number, line in enumerate(file):
                photo, split, text = line.rstrip("\\n").split("\\t")
                yield SplitAssignment(photo, split)
                yield Caption(photo, number, f"{option}:{number + 1}", text)
'''
CONFIG = """
encoder: {name: mobilenet, weights: random, input_size: 32}
tokenizer: {min_count: 1}
records: {photos_per_shard: 4}
"""


@pytest.fixture
def sources(monkeypatch) -> dict[str, type[Source]]:
    """The registry; it is as before after the test."""
    sources = dict(registry.SOURCES)
    monkeypatch.setattr(registry, "SOURCES", sources)
    return sources


def install(folder: Path, entry_points: str, module: str = TSV) -> Path:
    """Writes a package as pip installs it, with entry points for sources."""
    metadata = folder / "captions_package-1.0.dist-info"
    metadata.mkdir(parents=True)
    (folder / "captions_package.py").write_text(module)
    (metadata / "METADATA").write_text("Name: captions-package\nVersion: 1.0\n")
    text = f"[{registry.GROUP}]\n{entry_points}\n"
    (metadata / "entry_points.txt").write_text(text)
    return folder


@pytest.fixture
def installed(sources, tmp_path, monkeypatch):
    def add(entry_points: str, module: str = TSV) -> None:
        monkeypatch.syspath_prepend(install(tmp_path / "site", entry_points, module))
        monkeypatch.delitem(sys.modules, "captions_package", raising=False)

    return add


def write_tsv(path: Path) -> Path:
    lines = [
        f"{letter}.jpg\t{split}\tA dog {letter} runs ."
        for split, letters in SPLIT_OF.items()
        for letter in letters
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def command(data: SmallData, folder: Path, *more: str) -> subprocess.CompletedProcess:
    """Runs `tfcap build` in a process that finds the package of `install`."""
    (folder / "small.yaml").write_text(CONFIG)
    flags = [f"--config={folder}/small.yaml", f"--photos={data.photos}"]
    flags += [f"--output={folder}/out", *more]
    return subprocess.run(
        [sys.executable, "-m", "tfcap", "build", *flags],
        env={**os.environ, "PYTHONPATH": str(folder / "site"), "COLUMNS": "500"},
        capture_output=True,
        text=True,
    )


class Words(Source):
    name = "words"
    needs = "one --captions FILE"

    @staticmethod
    def read(option):
        for number, name in enumerate(Path(option).read_text().split()):
            yield SplitAssignment(name, "train")
            yield Caption(name, number, option, "A dog runs .")


def test_a_registered_source_is_found_by_its_name(sources):
    assert register_source(Words) is Words
    assert registry.find_source("words") is Words
    assert registry.source_names()[-1] == "words"


def test_a_class_may_be_registered_again_and_no_other_of_its_name(sources):
    register_source(Words)
    again = type("Words", (Words,), {"__module__": Words.__module__})
    assert register_source(again) is sources["words"] is again
    other = type("Other", (Words,), {})
    with pytest.raises(ValueError, match=r"--source words is .*Words; give .*Other an"):
        register_source(other)


def method(self, option):
    yield


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (dict, r"expected a subclass of beam_jobs.Source; received <class 'dict'>"),
        (Words("a"), r"expected a subclass of beam_jobs.Source; received .*Words"),
        (type("A", (Source,), {"needs": "x"}), r"A has no text 'name'"),
        (type("A", (Source,), {"name": "x"}), r"A has no text 'needs'"),
        (type("A", (Source,), {"name": "x", "needs": "x"}), "A does not define read"),
        (type("A", (Words,), {"read": method}), "A.read must be a @staticmethod"),
    ],
)
def test_what_is_no_source_is_refused(sources, source, message):
    with pytest.raises(TypeError, match=message):
        register_source(source)


def test_the_records_are_those_of_another_source(sources, data, tmp_path):
    register_source(make_tsv())
    path = write_tsv(tmp_path / "captions.tsv")
    job = data.job(tmp_path / "out")
    build(with_source(job, "tsv", path))
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    data.write_lines(data.captions, [f"{name}#0\t{text}" for name, _, text in lines])
    build(data.job(tmp_path / "flickr8k"))
    places = "dataset.json"  # names the files of captions and splits
    assert contents(tmp_path / "out", places) == contents(tmp_path / "flickr8k", places)


def make_tsv() -> type[Source]:
    names: dict = {"__name__": __name__}
    exec(TSV, names)
    return names["Tsv"]


def with_source(job: Job, name: str, path: Path) -> Job:
    return replace(job, source=registry.find_source(name).open([str(path)]))


def test_the_source_of_the_documentation_reads_and_rejects_lines(sources, tmp_path):
    text = (ROOT / "docs" / "reference" / "python_api.md").read_text("utf-8")
    code, *_ = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(code, {"__name__": __name__})
    path = tmp_path / "captions.tsv"
    path.write_text("a.jpg\ttrain\tA dog .\nb.jpg\tA cat .\n")
    split, caption, reject = registry.find_source("tsv").read(str(path))
    assert split == SplitAssignment("a.jpg", "train")
    assert (caption.photo_id, caption.text) == ("a.jpg", "A dog .")
    assert (reject.where, reject.captions) == (f"{path}:2", 1)
    path.write_text("b.jpg\tA cat .\n")
    with pytest.raises(
        UserError, match=r"no caption at the head .*malformed_line: two"
    ):
        registry.find_source("tsv").open([str(path)])


def test_a_missing_file_and_one_without_captions_are_named(sources, tmp_path):
    with pytest.raises(
        UserError, match=r"--captions: cannot read .*none: No such file"
    ):
        Words.open([str(tmp_path / "none")])
    (tmp_path / "empty").touch()
    with pytest.raises(UserError, match=r"--captions: .*empty holds no caption"):
        Words.open([str(tmp_path / "empty")])


def test_an_item_of_another_kind_is_refused(sources, data, tmp_path):
    class Pairs(Words):
        name = "pairs"

        @staticmethod
        def read(option):
            yield ("a.jpg", "A dog runs .")

    register_source(Pairs)
    with pytest.raises(
        Exception, match=r"yielded \('a.jpg', .*expected one of Caption"
    ):
        build(with_source(data.job(tmp_path / "out"), "pairs", data.captions))


def test_an_entry_point_adds_a_source(installed):
    installed("tsv = captions_package:Tsv")
    assert registry.source_names()[-1] == "tsv"
    assert "captions_package" not in sys.modules
    source = registry.find_source("tsv")
    assert source.__module__ == "captions_package"
    assert registry.describe_source("tsv") == f"tsv: {source.needs}"
    assert registry.find_source("tsv") is source


@pytest.mark.parametrize(
    ("entry_point", "message"),
    [
        ("tsv = captions_package:Csv", "cannot use captions_package:Csv .Attribute"),
        ("tsv = no_such_package:Tsv", "cannot use no_such_package:Tsv .ModuleNotFou"),
        ("csv = captions_package:Tsv", "captions_package:Tsv has the name 'tsv'; exp"),
        ("tsv = captions_package:Caption", "expected a subclass of beam_jobs.Source"),
    ],
)
def test_an_entry_point_that_cannot_be_used_is_named(installed, entry_point, message):
    installed(entry_point)
    name = entry_point.split()[0]
    with pytest.raises(UserError, match=f"--source {name}: .*{message}"):
        registry.find_source(name)
    assert f"--source {name}: " in registry.describe_source(name)


def test_an_entry_point_cannot_replace_a_source(installed):
    installed("jsonl = captions_package:Tsv", TSV.replace('"tsv"', '"jsonl"'))
    with pytest.raises(UserError, match=r"--source jsonl is beam_jobs.*jsonl.Jsonl; "):
        registry.find_source("jsonl")


@pytest.mark.slow
def test_help_and_the_error_of_an_unknown_source_name_it(data, tmp_path):
    install(tmp_path / "site", "tsv = captions_package:Tsv\nbad = captions_package:X")
    shown = command(data, tmp_path, "--help").stdout
    assert "tsv: one --captions FILE, 100 % of its lines with two tabs" in shown
    assert "--source bad: cannot use captions_package:X" in shown
    wrong = command(data, tmp_path, "--source=tvs", "--captions=a")
    assert wrong.returncode == 2
    assert "invalid choice: 'tvs'" in wrong.stderr and "tsv" in wrong.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "runner",
    [(), ("--direct_running_mode=multi_processing", "--direct_num_workers=2")],
)
def test_workers_of_any_runner_read_a_packages_source(data, tmp_path, runner):
    install(tmp_path / "site", "tsv = captions_package:Tsv")
    path = write_tsv(tmp_path / "captions.tsv")
    process = command(data, tmp_path, "--source=tsv", f"--captions={path}", *runner)
    assert process.returncode == 0, process.stderr
    assert "in = written + rejected" in process.stdout
