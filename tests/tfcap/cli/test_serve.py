"""The command `tfcap serve`: what it passes to the server, and wrong settings."""

import pytest

from tfcap.cli import main
from tfcap.config.serving import ServingConfig


@pytest.fixture
def served(monkeypatch) -> list:
    """Returns the list of calls of the server."""
    calls: list = []
    server = pytest.importorskip("tfcap.serving.server")
    monkeypatch.setattr(server, "serve", lambda *arguments: calls.append(arguments))
    return calls


def test_options_and_settings_reach_the_server(served):
    where = ["--host=0.0.0.0", "--port=0", "--token_file=token"]
    settings = ["--set=batch=3", "--set=seconds=1.5"]
    assert main.main(["serve", "--model=m", *where, *settings]) == 0
    config = ServingConfig(batch=3, seconds=1.5)
    assert served == [("m", "0.0.0.0", 0, config, "token")]


def test_defaults(served):
    assert main.main(["serve", "--model=m"]) == 0
    assert served == [("m", "127.0.0.1", 8501, ServingConfig(), None)]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("bach=3", "--set: unknown key 'bach'; did you mean 'batch'?"),
        ("batch=0", "--set: batch"),
        ("batch", "--set takes section.key=value; received 'batch'"),
    ],
)
def test_a_wrong_setting_starts_no_server(served, capsys, setting, message):
    assert main.main(["serve", "--model=m", f"--set={setting}"]) == 1
    assert message in capsys.readouterr().err
    assert served == []


def test_a_missing_token_file_is_named(tmp_path, capsys):
    path = str(tmp_path / "none")
    assert main.main(["serve", "--model=m", f"--token_file={path}"]) == 1
    message = f"error: --token_file: {path} cannot be read as text\n"
    assert capsys.readouterr().err == message
