import subprocess
import sys

import pytest

from records import extras
from records.console import run_command

WITHOUT = """
import sys
for name in {hidden!r}:
    sys.modules[name] = None
from tfcap.cli.main import main
sys.exit(main({argv!r}))
"""


def run_without(hidden: tuple[str, ...], *argv: str) -> subprocess.CompletedProcess:
    code = WITHOUT.format(hidden=hidden, argv=list(argv))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_remedy_names_the_packages_of_the_extra():
    error = extras.missing_extra(ModuleNotFoundError(name="starlette.routing"))
    assert "needs the package starlette, which is not installed: pip install" in str(
        error
    )
    assert "'uvicorn>=" in str(error) and "apache-beam" not in str(error)


@pytest.mark.parametrize(
    "missing", ["starlette", "uvicorn", "python_multipart", "prometheus_client"]
)
def test_each_package_of_the_server_brings_all_of_them(missing):
    error = extras.missing_extra(ModuleNotFoundError(name=missing))
    assert f"needs the package {missing}, which" in str(error)
    assert all(
        f"'{package}>=" in str(error)
        for package in ("starlette", "uvicorn", "python-multipart", "prometheus-client")
    )


def test_another_missing_module_is_no_users_mistake():
    assert extras.missing_extra(ModuleNotFoundError(name="numpy")) is None
    with pytest.raises(ModuleNotFoundError):
        run_command(lambda: __import__("no_such_module"))


def test_every_extra_of_the_table_has_packages():
    for extra in set(extras.EXTRAS.values()):
        assert extras.extra_requirements(extra)


@pytest.mark.parametrize(
    ("package", "argv"),
    [
        ("apache_beam", ["build", "--config", "demo"]),
        ("starlette", ["serve", "--model", "m"]),
        ("pycocoevalcap", ["evaluate", "--workdir", "w", "--records", "r"]),
        ("apache_beam", ["demo", "--output", "new"]),
    ],
    ids=["beam", "serve", "evaluate", "demo"],
)
def test_a_command_names_what_it_lacks(package, argv):
    process = run_without((package,), *argv)
    assert process.returncode == 1
    assert f"error: this needs the package {package}" in process.stderr
    assert "Traceback" not in process.stderr


def test_all_that_is_missing_is_named_at_once():
    argv = ["train", "--config", "demo", "--records", "r", "--workdir", "w"]
    process = run_without(("tensorboard", "pycocoevalcap"), *argv)
    assert process.returncode == 1
    message = "needs the packages pycocoevalcap, tensorboard, which are not installed: "
    assert message in process.stderr
    assert "'pycocoevalcap<2,>=1.2' 'tensorboard<3,>=2.20'" in process.stderr


def test_what_is_installed_is_not_asked_for():
    extras.check_extras("train", "evaluate", "beam")


def test_captions_need_no_extra(tmp_path):
    hidden = tuple(extras.EXTRAS.keys() - {"google"})
    process = run_without(hidden, "caption", "--model", str(tmp_path), "a.jpg")
    assert "error: no SavedModel in" in process.stderr
