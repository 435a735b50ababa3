import subprocess
import sys

import pytest

from tfcap import start_checks


def test_windows_is_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ImportError, match="does not run on Windows; run it on Linux"):
        start_checks.refuse_windows()


def test_another_package_of_the_name_is_refused(tmp_path):
    (tmp_path / "records.py").touch()
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import tfcap"
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert "records.py, another package than tfcap" in process.stderr
