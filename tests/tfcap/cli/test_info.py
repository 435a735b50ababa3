import json

from tfcap.cli import info
from tfcap.cli.main import main


def test_a_bug_report_has_versions_and_devices(capsys, monkeypatch):
    monkeypatch.setenv("TFCAP_COMPILE", "0")
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["tensorflow"].startswith("2.")
    assert any("CPU" in device for device in facts["devices"])
    assert facts["native operations"].startswith("none")
    assert main(["info"]) == 0
    assert facts["keras"] in capsys.readouterr().out


def test_a_clashing_distribution_is_named(monkeypatch):
    owners = {"records": ["records", "tfcap"], "tfcap": ["tfcap"]}
    monkeypatch.setattr(info, "packages_distributions", lambda: owners)
    assert info.clashes() == ["records is of records"]


def test_a_missing_package_is_said():
    assert info.package_version("no-such-package") == "not installed"
