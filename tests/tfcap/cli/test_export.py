"""The command `tfcap export`: usage, and what is refused before a model is read."""

import pytest

from tfcap.cli import main

REQUIRED = ("--workdir=w", "--output=o")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (REQUIRED[1:], "required: --workdir"),
        (REQUIRED[:1], "required: --output"),
        ([*REQUIRED, "--weights=int8"], "argument --weights: invalid choice: 'int8'"),
        ([*REQUIRED, "--check"], "argument --check: expected at least one argument"),
    ],
)
def test_wrong_usage_is_2(argv, message, capsys):
    with pytest.raises(SystemExit) as ended:
        main.main(["export", *argv])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.fixture
def unread(monkeypatch):
    """Fails the test if a model is read."""

    def open_members(paths):
        raise AssertionError(f"{paths} are read")

    monkeypatch.setattr("tfcap.runs.ensemble.open_members", open_members)


def test_an_export_is_not_replaced(unread, tmp_path, capsys):
    (tmp_path / "1").mkdir()
    assert main.main(["export", "--workdir=w", f"--output={tmp_path}"]) == 1
    message = f"error: {tmp_path}/1 exists; add --overwrite to replace it\n"
    assert capsys.readouterr() == ("", message)


def test_a_photo_to_check_is_missing(unread, tmp_path, capsys):
    photo = str(tmp_path / "none.jpg")
    argv = ["--workdir=w", f"--output={tmp_path / 'o'}", "--check", photo]
    assert main.main(["export", *argv]) == 1
    message = f"error: --check: there is no file {photo}\n"
    assert capsys.readouterr() == ("", message)
