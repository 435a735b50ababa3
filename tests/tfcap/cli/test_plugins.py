from importlib.metadata import EntryPoint

import pytest

from records.console import run_command
from records.errors import UserError
from tfcap.cli import main, plugins


def greet(argv):
    """Greet somebody.

    More of it.
    """
    print("hello", *argv)
    return 3


@pytest.fixture
def greeting(monkeypatch):
    entry = EntryPoint("greet", f"{__name__}:greet", plugins.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: greet)
    monkeypatch.setattr(main, "find_plugins", lambda: {"greet": entry})


def test_a_plugin_gets_all_its_arguments(greeting, capsys):
    assert main.main(["greet", "--help", "you"]) == 3
    assert capsys.readouterr().out == "hello --help you\n"


def test_its_docstring_is_its_help(greeting, capsys):
    with pytest.raises(SystemExit):
        main.main(["--help"])
    assert "greet greet somebody" in " ".join(capsys.readouterr().out.split())


def test_a_subcommand_of_ours_is_no_plugins(greeting, capsys):
    with pytest.raises(SystemExit):
        main.main(["info", "--help"])
    assert "usage: tfcap info" in capsys.readouterr().out


def test_the_beam_jobs_are_subcommands():
    names = {"build": "build", "caption-photos": "caption_photos"}
    entries = plugins.find_plugins()
    for name, function in names.items():
        assert plugins.load_plugin(entries[name]).__name__ == function


def test_a_plugin_that_cannot_be_imported_is_named(capsys):
    entry = EntryPoint("lost", "no_such_package:run", plugins.GROUP)
    with pytest.raises(UserError, match="tfcap lost: cannot import no_such_package"):
        plugins.load_plugin(entry)
    assert "reinstall" in plugins.describe_plugin(entry)
    assert run_command(lambda: plugins.load_plugin(entry)) == 1
