"""Beam options from a file, and what the command line makes of them."""

import argparse

import pytest
from apache_beam.options.pipeline_options import (
    DebugOptions,
    DirectOptions,
    GoogleCloudOptions,
    WorkerOptions,
)

from beam_jobs.runners.options import parse_command, read_flags
from records.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "options.yaml"
        path.write_text(text)
        return str(path)

    return write


def parse(*flags: str):
    return parse_command(argparse.ArgumentParser(prog="job"), flags)


def test_values_lists_mappings_and_switches_become_flags(write):
    path = write(
        "region: us-central1\n"
        "num_workers: 2\n"
        "experiments: [a, b=c]\n"
        "labels: {team: vision, cost: low}\n"
        "use_public_ips: false\n"
        "no_auth: true\n"
        "subnetwork: null\n"
    )
    assert read_flags(path) == [
        "--region=us-central1",
        "--num_workers=2",
        "--experiments=a",
        "--experiments=b=c",
        "--labels=team=vision",
        "--labels=cost=low",
        "--no_use_public_ips",
        "--no_auth",
    ]


def test_no_file_and_an_empty_one_say_nothing(write):
    assert read_flags(None) == []
    assert read_flags(write("# nothing yet\n")) == []


def test_the_command_line_wins_and_adds(write):
    path = write("num_workers: 2\nmachine_type: a\nexperiments: [one]\n")
    args, options = parse(
        "--num_workers=5", f"--beam_options={path}", "--experiments=two"
    )
    assert args.beam_options == path
    assert options.view_as(WorkerOptions).num_workers == 5
    assert options.view_as(WorkerOptions).machine_type == "a"
    assert options.view_as(DebugOptions).experiments == ["one", "two"]


def test_options_reach_beam(write):
    _, options = parse(f"--beam_options={write('use_public_ips: false')}")
    assert options.view_as(WorkerOptions).use_public_ips is False
    _, options = parse(f"--beam_options={write('use_public_ips: true')}")
    assert options.view_as(WorkerOptions).use_public_ips is True
    _, options = parse(f"--beam_options={write('direct_num_workers: 3')}")
    assert options.view_as(DirectOptions).direct_num_workers == 3
    _, options = parse(f"--beam_options={write('labels: {a: b}')}")
    assert options.view_as(GoogleCloudOptions).labels == ["a=b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("worker_machin_type: x", "no option 'worker_machin_type'; did you mean 'wor"),
        ("photos: gs://b", "Beam has no option 'photos'"),
        ("encoder: {name: inception_v3}", "Beam has no option 'encoder'"),
        ("experiments: [[a]]", r"experiments takes one value, a list .*received \['a'"),
        ("labels: {a: {b: c}}", r"labels takes one value.*received \{'b': 'c'\} in it"),
        ("experiments: [null]", "experiments takes one value"),
        ("- region", "must hold lines such as `region: x`"),
        ("a: b: c", "is not YAML: mapping values are not allowed"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(write, text, message):
    path = write(text)
    with pytest.raises(UserError, match=message) as error:
        read_flags(path)
    assert path in str(error.value)


def test_a_file_that_is_not_there():
    with pytest.raises(UserError, match=r"--beam_options: cannot read none\.yaml: No"):
        parse("--beam_options=none.yaml")


def test_a_dry_run_may_name_a_directory():
    parser = argparse.ArgumentParser(prog="job")
    assert parse_command(parser, [])[0].dry_run is None
    assert parse("--dry_run")[0].dry_run == ""
    assert parse("--dry_run=there")[0].dry_run == "there"
