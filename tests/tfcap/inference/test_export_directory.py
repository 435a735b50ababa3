"""What a user can name instead of an export, and what the message then says."""

import os
from pathlib import Path

import pytest

from records.errors import UserError
from tfcap.inference.export_directory import find_model


def message(path: str) -> str:
    with pytest.raises(UserError) as error:
        find_model(path)
    return str(error.value)


def write(path) -> None:
    path.parent.mkdir(parents=True)
    path.touch()


def test_a_work_directory_is_named_with_the_command_that_exports_it(tmp_path):
    (tmp_path / "my run").mkdir()
    (tmp_path / "my run" / "config.yaml").touch()
    run = f"{tmp_path}/my run"
    assert message(f"{run}/") == (
        f"{run}/ is the work directory of a run, and not its export; export it with: "
        f"tfcap export --workdir '{run}/' --output 'export/my run'"
    )


@pytest.fixture
def runs(tmp_path):
    for seed in (0, 1):
        write(tmp_path / "runs" / f"seed-{seed}" / "config.yaml")
    return f"{tmp_path}/runs"


def test_runs_of_several_seeds_are_exported_as_one_model_or_singly(runs):
    assert message(runs).partition("); ")[2] == (
        "it holds runs (seed-0, seed-1), which are not exported: "
        f"tfcap export --workdir {runs} --output export/runs (all as one model) or "
        f"tfcap export --workdir {runs}/seed-0 --output export/seed-0 (one of them)"
    )


def test_runs_that_are_no_seeds_are_exported_singly(runs):
    for number in range(9):
        write(Path(runs) / f"run {number}" / "config.yaml")
    received = message(runs)
    assert "it holds runs (run 0, run 1, run 2, run 3, run 4 and others)" in received
    assert "(all as one model)" not in received
    assert received.endswith(
        f"tfcap export --workdir '{runs}/run 0' --output 'export/run 0' (one of them)"
    )


def test_a_directory_of_exports(tmp_path):
    for name in ("small", "large one"):
        write(tmp_path / name / "1" / "saved_model.pb")
    os.mkdir(os.path.join(os.fsencode(tmp_path), b"not utf-8 \xff"))
    assert message(f"{tmp_path}").endswith(
        f"it holds exports (large one, small); name one: --model '{tmp_path}/large one'"
    )
