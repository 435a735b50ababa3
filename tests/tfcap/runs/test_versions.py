"""What commands say of a work directory of another version, or a damaged one."""

import re
from pathlib import Path

import pytest

from tfcap.cli import main
from tfcap.runs.checkpoints import DIGESTS


@pytest.fixture
def run(make_records, write_run) -> Path:
    return Path(write_run(make_records()).path)


@pytest.fixture(params=["evaluate", "export", "average", "train", "train --init"])
def argv(request, run, tmp_path) -> list[str]:
    """A command that reads the work directory."""
    config, other = tmp_path / "config.yaml", tmp_path / "other"
    model = "{image_units: 8, lstm_units: 8, embedding_units: 4}"
    config.write_text(f"model: {model}\n")
    records = f"--records={run.parent / 'records'}"
    train = ["train", records, f"--config={config}"]
    return {
        "evaluate": ["evaluate", f"--workdir={run}", records, "--split=dev"],
        "export": ["export", f"--workdir={run}", f"--output={other}"],
        "average": [
            *("average", f"--workdir={run}", f"--output={other}", "--checkpoints=2")
        ],
        "train": [*train, f"--workdir={run}"],
        "train --init": [*train, f"--workdir={other}", f"--init={run}"],
    }[request.param]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def newer(path: Path) -> None:
    old = "format: 1" if path.suffix == ".yaml" else '"format": 1'
    edit(path, old, old.replace("1", "2"))


def with_an_unknown_key(path: Path) -> None:
    old = "format: 1" if path.suffix == ".yaml" else '"format": 1'
    new = "colour: 1\nformat: 1" if path.suffix == ".yaml" else f'"colour": 1, {old}'
    edit(path, old, new)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


NEWER = r"was written by a newer tfcap \(format 2, this one reads 1\): install a newer"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("config.yaml", newer, NEWER),
        ("config.yaml", with_an_unknown_key, "unknown key 'colour'.* newer .*edited"),
        ("config.yaml", cut_short, ".*It is damaged or was edited: put it back"),
        ("dataset.json", newer, NEWER),
        ("dataset.json", with_an_unknown_key, ".*damaged or was edited.* key 'colour'"),
        ("dataset.json", cut_short, "is damaged: not JSON .* from a copy, or build"),
    ],
)
def test_another_work_directory(run, argv, name, change, message, capsys):
    change(run / name)
    assert main.main(argv) == 1
    out, err = capsys.readouterr()
    assert re.search(rf"^error: {run}/{name}:? {message}", err, re.MULTILINE)
    assert "Traceback" not in err and not out


def kept(run: Path) -> list[Path]:
    return sorted(run.glob(f"checkpoints/*/*/{DIGESTS}"))


def test_a_checkpoint_of_a_newer_version_is_not_passed_over(run, argv, capsys):
    """No older one is taken in its place, and training does not start over."""
    for folder in (run / "checkpoints").iterdir():
        newer(max(folder.glob(f"*/{DIGESTS}")))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main.main(argv) == 1
    err = capsys.readouterr().err
    assert re.search(rf"^error: {run}/checkpoints/\w+/1/{DIGESTS} {NEWER}", err)
    assert "torn" not in err and "Traceback" not in err
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    left = {"config.yaml", "lock"}  # written by a run that resumes
    assert {p: c for p, c in before.items() if p.name not in left} == {
        p: c for p, c in after.items() if p.name not in left
    }
