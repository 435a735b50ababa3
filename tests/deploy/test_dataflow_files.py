"""What is handed to Dataflow fits the command and the packages; nothing is built."""

import fnmatch
import importlib.util
import json
import re
import shlex
from pathlib import Path

import apache_beam
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from beam_jobs import build_records
from beam_jobs.runners import dataflow
from beam_jobs.runners.options import known_options, parse_command, read_flags
from tfcap.config.loading import load_config

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "dataflow"
PAGE = ROOT / "docs/guides/dataflow.md"
METADATA = json.loads((FOLDER / "metadata.json").read_text())
PARAMETERS = {parameter["name"]: parameter for parameter in METADATA["parameters"]}
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OPTIONS = sorted((ROOT / "configs").glob("dataflow*.yaml"))
GIVEN = {
    "config": "configs/flickr8k.yaml",
    "photos": "gs://bucket/photos",
    "captions": "gs://bucket/text/Flickr8k.token.txt",
    "splits": "gs://bucket/text",
    "output": "gs://bucket/records",
    "beam_options": "configs/dataflow.yaml",
    "sdk_container_image": "us-docker.pkg.dev/p/tfcap/tfcap:1",
}


def load_launch():
    spec = importlib.util.spec_from_file_location("launch", FOLDER / "launch.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parse(flags):
    return parse_command(build_records.make_parser(), flags)


def argument(name: str) -> str:
    """Default of an ARG of the Dockerfile."""
    return re.search(rf"^ARG {name}=(\S+)$", DOCKERFILE, re.M)[1]


def commands(text: str) -> list[list[str]]:
    """The commands of a build that a text shows, as words."""
    joined = re.sub(r"\\\n#?\s*", "", text)
    found = re.findall(
        r"(?:python -m beam_jobs\.build_records|tfcap build) (--.*)", joined
    )
    return [shlex.split(command) for command in found if "..." not in command]


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def accepts(name: str, value: str) -> bool:
    """What Dataflow does with a parameter before anything is launched."""
    return all(re.fullmatch(regex, value) for regex in PARAMETERS[name]["regexes"])


def test_every_parameter_is_an_option_of_the_command():
    parser = build_records.make_parser()
    own = {action.dest for action in parser._actions} | {"beam_options"}
    beams = {name.removeprefix("--") for name in known_options()}
    assert set(PARAMETERS) <= own | beams
    missing = own - set(PARAMETERS) - {"help"}
    assert not missing, f"options that the template does not offer: {missing}"


def test_what_the_command_needs_the_template_demands():
    needed = {a.dest for a in build_records.make_parser()._actions if a.required}
    assert needed <= {n for n, p in PARAMETERS.items() if not p["isOptional"]}


def test_every_parameter_helps_and_is_checked():
    for parameter in METADATA["parameters"]:
        assert parameter["label"] and parameter["helpText"], parameter["name"]
        assert all(re.compile(regex) for regex in parameter["regexes"])
    assert all(accepts(name, value) for name, value in GIVEN.items())


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("photos", "gs://b/a b", "/photos"),
        ("source", "coco", "coko"),
        ("captions", "train=gs://b/a.json;dev=gs://b/b.json", "train=/a.json"),
        ("set", "tokenizer.min_count=10;records.keep_photos=true", "min count"),
        ("max_reject_fraction", "0.25", "1.5"),
        ("max_reject_fraction", "1", "-1"),
        ("overwrite", "true", "yes"),
        ("config", "configs/heaton.yaml", "heaton"),
        ("sdk_container_image", "host/image@sha256:0f", "image"),
        ("encoder_resource_hints", "accelerator=type:nvidia-l4;count:1", "gpu=1"),
    ],
)
def test_regexes_tell_right_from_wrong(name, good, bad):
    assert accepts(name, good)
    assert not accepts(name, bad)


def test_parameters_become_flags():
    given = [
        "--captions=train=gs://b/a.json;dev=gs://b/b.json",
        "--set=tokenizer.min_count=10;records.keep_photos=true",
        "--overwrite=true",
        "--dataflow_service_options=worker_accelerator=type:nvidia-l4;count:1",
    ]
    assert list(load_launch().flags(given)) == [
        "--captions=train=gs://b/a.json",
        "--captions=dev=gs://b/b.json",
        "--set=tokenizer.min_count=10",
        "--set=records.keep_photos=true",
        "--overwrite",
        "--dataflow_service_options=worker_accelerator=type:nvidia-l4;count:1",
    ]
    assert list(load_launch().flags(["--overwrite=false"])) == []


def test_a_launch_passes_the_checks():
    """Parameters, and what the launcher adds to them."""
    added = {
        "runner": "DataflowRunner",
        "project": "my-project",
        "region": "europe-west4",
        "job_name": "records-1",
        "template_location": "gs://bucket/tmp/template_launches/1/job_object",
        "staging_location": "gs://bucket/tmp",
        "temp_location": "gs://bucket/tmp",
        "service_account_email": "me@my-project.iam.gserviceaccount.com",
        "labels": '{"goog-dataflow-provided-template-type": "flex"}',
        "max_num_workers": "4",
    }
    given = [f"--{name}={value}" for name, value in {**GIVEN, **added}.items()]
    args, options = parse(load_launch().flags(given))
    dataflow.check(options, build_records.places(args), dry_run=True)
    everything = options.get_all_options()
    assert everything["region"] == "europe-west4", "the launch wins over the file"
    assert everything["max_num_workers"] == 4
    assert everything["machine_type"] == "g2-standard-8"


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_beam_has_every_option_of_the_files(path):
    given = [*GIVEN.items(), ("project", "p"), ("temp_location", "gs://bucket/tmp")]
    flags = [f"--{name}={value}" for name, value in given if name != "beam_options"]
    args, options = parse([*flags, f"--beam_options={path}"])
    dataflow.check(options, build_records.places(args), dry_run=True)
    assert f"--beam_options configs/{path.name}" in path.read_text()
    assert "--experiments=no_use_multiple_sdk_containers" in read_flags(str(path))


@pytest.mark.parametrize("path", [PAGE, ROOT / "configs/dataflow.yaml"])
def test_the_commands_that_are_shown_are_right_usage(path):
    shown = commands(path.read_text())
    assert shown
    for words in shown:
        args, _ = parse(
            [re.sub(r"\$?\b(IMAGE|BUCKET)\b", "b-1", word) for word in words]
        )
        assert args.photos.startswith("gs://") and args.dry_run is not None
        load_config(args.config, args.set)


def test_the_template_shown_is_given_its_parameters():
    text = PAGE.read_text()
    shown = re.findall(r"--parameters (\S+)", re.sub(r"\\\n\s*", "", text))
    given = dict(pair.split("=", 1) for one in shown for pair in one.split(","))
    needed = {name for name, p in PARAMETERS.items() if not p["isOptional"]}
    assert needed <= set(given) <= set(PARAMETERS)


def test_the_image_has_the_beam_that_is_tested():
    version = argument("BEAM_VERSION")
    assert version == apache_beam.__version__
    needed = map(Requirement, PROJECT["optional-dependencies"]["beam"])
    (range_,) = (one.specifier for one in needed if one.name == "apache-beam")
    assert version in range_


def test_the_image_has_one_python_that_the_project_supports():
    found = set(re.findall(r"(?:beam_python|python:|/python)(3\.?\d+)", DOCKERFILE))
    (version,) = {v.replace(".", "") for v in found}
    assert f"{version[0]}.{version[1:]}" in SpecifierSet(PROJECT["requires-python"])


def test_the_image_installs_extras_that_there_are():
    extras = PROJECT["optional-dependencies"]
    text = DOCKERFILE + PAGE.read_text()
    for named in re.findall(r"EXTRAS=(\S+)", text):
        assert set(named.strip("`").split(",")) <= set(extras)


def ignored(path: str) -> bool:
    """By .dockerignore: the last line decides that matches the path or its folder."""
    found, folders = False, [path, *map(str, Path(path).parents)]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        matches = any(fnmatch.fnmatch(folder, pattern) for folder in folders)
        if line and line[0] != "#" and matches:
            found = not line.startswith("!")
    return found


def test_what_the_image_copies_is_there_and_not_ignored():
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M)
    sources = [source for line in copied for source in line.split()]
    assert {"beam_jobs", "records", "tfcap", "configs"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists() and not ignored(source), source
    assert (ROOT / argument("CONFIG")).exists()
    for source in (".venv", "build", "tests", ".git", "deploy/dataflow/README.md"):
        assert ignored(source), source


def test_the_image_starts_workers_and_launches_the_template():
    assert 'ENTRYPOINT ["/opt/apache/beam/boot"]' in DOCKERFILE
    assert "ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/opt/tfcap/launch.py" in DOCKERFILE
    assert "COPY deploy/dataflow/launch.py launch.py" in DOCKERFILE


@pytest.mark.parametrize("path", OPTIONS, ids=lambda path: path.stem)
def test_a_worker_has_one_process(path):
    content = yaml.safe_load(path.read_text())
    assert content["experiments"] == ["no_use_multiple_sdk_containers"]
    assert content["num_workers"] <= content["max_num_workers"]
