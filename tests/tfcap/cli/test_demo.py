from pathlib import Path

import pytest

from tfcap.cli import demo
from tfcap.cli.main import main

TEST_LIST = "text/Flickr_8k.testImages.txt"


@pytest.fixture
def run(monkeypatch):
    """Records the steps in place of running them, and draws the list of the last."""
    done, codes = [], {}

    def step(command):
        done.append(command)
        if command[0] == "python":
            make_list(Path(command[3]) / TEST_LIST)
        return codes.get(command[1], 0)

    monkeypatch.setattr(demo, "run_step", step)
    return done, codes


def make_list(path):
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"{i}.jpg\n" for i in range(9)))


def test_each_step_is_printed_and_run(run, tmp_path, capsys):
    done, _ = run
    output = tmp_path / "it's"
    assert main(["demo", "--output", str(output), "--train=8"]) == 0
    steps = ["-m", "build", "inspect", "verify"]
    steps += ["train", "evaluate", "export", "caption"]
    assert [command[1] for command in done] == steps
    assert "--train=8" in done[0]
    assert [arg[-5:] for arg in done[-1][3:]] == [f"{i}.jpg" for i in range(5)]
    printed = capsys.readouterr().out
    assert "$ tfcap train --config=demo " in printed
    assert f"gallery:  {output}/gallery/index.html" in printed


def test_the_first_failure_ends_it(run, tmp_path, capsys):
    done, codes = run
    codes["verify"] = 75
    assert main(["demo", "--output", str(tmp_path / "d")]) == 75
    assert done[-1][1] == "verify"
    assert "gallery" not in capsys.readouterr().out


def test_what_is_there_is_kept(run, tmp_path, capsys):
    done, _ = run
    (tmp_path / "mine").touch()
    assert main(["demo", "--output", str(tmp_path)]) == 1
    assert not done
    assert "is not empty" in capsys.readouterr().err


def test_ctrl_c_is_left_to_the_step():
    """It comes to both processes, and only the step knows what it must save."""
    code = "import os, signal; os.kill(os.getppid(), signal.SIGINT); print('saved')"
    assert demo.run_step(["python", "-c", code]) == 0
