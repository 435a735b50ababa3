import pytest

from tests.benchmarks.many_captions import run


def test_a_command_that_fails_is_named(tmp_path):
    with pytest.raises(SystemExit, match=r"^exit code 2 of: tfcap train --bogus$"):
        run(["train", "--bogus"], tmp_path)
    assert run(["--version"], tmp_path).endswith(" MiB")
