"""What goes wrong around the command, as processes: killed, full, gone, hostile."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from small_data import contents, hostile_photos

from beam_jobs.io.output_directory import REPORTS
from records.format.record_set import RecordSet
from records.format.rejects import count_rejects
from tfcap.datasets.synthetic import write_data_set

pytestmark = pytest.mark.slow
COUNTS = {"train": 160, "dev": 20, "test": 20}
CONFIG = """
encoder: {name: mobilenet, weights: random, input_size: 32}
tokenizer: {min_count: 1}
records: {photos_per_shard: 4, encoder_batch: 2}
"""
PATIENCE = 900  # seconds, for a busy machine
KILLS = 3
MALFORMED, HOSTILE = 10_000, 1_000
PYTHON = sys.executable.encode()
MEBIBYTE = 1024  # of the kilobytes that the kernel counts in


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawings")
    write_data_set(folder, COUNTS, 64, 0)
    (folder / "small.yaml").write_text(CONFIG)
    return folder


def command(data: Path, output: Path, *flags: str) -> list[str]:
    return [
        *(sys.executable, "-m", "beam_jobs.build_records"),
        f"--config={data / 'small.yaml'}",
        f"--photos={data / 'images'}",
        f"--captions={data / 'text' / 'Flickr8k.token.txt'}",
        f"--splits={data / 'text'}",
        f"--output={output}",
        *flags,
    ]


def start(*args, **kwargs) -> subprocess.Popen:
    line = command(*args, **kwargs)
    return subprocess.Popen(line, stderr=subprocess.PIPE, text=True)


def run(*args) -> subprocess.CompletedProcess:
    line = command(*args)
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE)


def wait_for_a_shard(process: subprocess.Popen, output: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not list((output / REPORTS).glob("*.json")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.002)


class Undisturbed(NamedTuple):
    """What a build holds, the seconds it took, and the most memory, in kilobytes."""

    contents: dict[str, bytes]
    seconds: float
    memory: int


@pytest.fixture(scope="module")
def undisturbed(data, tmp_path_factory) -> Undisturbed:
    output = tmp_path_factory.mktemp("undisturbed") / "records"
    started = time.monotonic()
    done, memory = most_memory(data, output)
    assert done.returncode == 0, done.stderr
    return Undisturbed(contents(output), time.monotonic() - started, memory)


def test_killed_at_random_moments(data, undisturbed, tmp_path):
    moments = random.Random(0)
    output = tmp_path / "out"
    for _ in range(KILLS):
        process = start(data, output)
        with process.stderr:
            time.sleep(moments.uniform(0.3, 1) * undisturbed.seconds)
            process.kill()
            process.wait()
        if (output / "dataset.json").exists():
            assert contents(output) == undisturbed.contents
            shutil.rmtree(output)
    last = run(data, output)
    assert last.returncode == 0, last.stderr
    assert contents(output) == undisturbed.contents


def test_a_worker_process_killed_while_it_encodes(data, undisturbed, tmp_path):
    output = tmp_path / "out"
    flags = "--direct_running_mode=multi_processing", "--direct_num_workers=2"
    process = start(data, output, *flags)
    wait_for_a_shard(process, output)
    workers = workers_of(process.pid)
    assert workers
    os.kill(workers[0], signal.SIGKILL)
    _, said = process.communicate(timeout=PATIENCE)
    if process.returncode:
        assert process.returncode == 1
        assert said.count("error:") == 1 and "Traceback" not in said
        assert not (output / "dataset.json").exists()
        assert run(data, output).returncode == 0
    assert contents(output) == undisturbed.contents


def workers_of(pid: int) -> list[int]:
    """The processes below this one that run Beam's worker."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    lines = {c: Path(f"/proc/{c}/cmdline").read_bytes() for c in children}
    own = [child for child, line in lines.items() if line.startswith(PYTHON)]
    return own + [worker for child in children for worker in workers_of(child)]


def test_a_disk_that_fills_up(data, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here: that needs root")
    try:
        done = run(data, disk / "out")
        assert done.returncode == 1
        assert "No space left on device" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (disk / "out" / "dataset.json").exists()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_photo_directory_that_disappears(data, tmp_path):
    photos = tmp_path / "images"
    shutil.copytree(data / "images", photos)
    process = start(data, tmp_path / "out", f"--photos={photos}")
    wait_for_a_shard(process, tmp_path / "out")
    photos.rename(tmp_path / "away")
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, said
    assert f"error: the photo directory {photos} was there and has gone" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out" / "dataset.json").exists()
    (tmp_path / "away").rename(photos)
    again = run(data, tmp_path / "out", f"--photos={photos}")
    assert again.returncode == 0, again.stderr
    assert RecordSet.open(str(tmp_path / "out")).manifest.photos("train") == 160


def test_malformed_lines_and_hostile_photos_by_the_thousand(
    data, undisturbed, tmp_path
):
    hostile = tmp_path / "data"
    shutil.copytree(data, hostile)
    names = [f"hostile_{i:04}.jpg" for i in range(HOSTILE)]
    for name, photo in zip(names, hostile_photos(HOSTILE)):
        (hostile / "images" / name).write_bytes(photo)
    with open(hostile / "text" / "Flickr8k.token.txt", "ab") as file:
        for number in range(MALFORMED):
            file.write(b"no tab, no number %d \xff\n" % number)
        for name in names:
            file.write(f"{name}#0\tA photo of nothing good .\n".encode())
    with open(hostile / "text" / "Flickr_8k.trainImages.txt", "a") as file:
        file.write("".join(f"{name}\n" for name in names))

    done, memory = most_memory(hostile, tmp_path / "out", "--max_reject_fraction=0.9")
    assert done.returncode == 0, done.stderr
    photos, captions = count_rejects(str(tmp_path / "out"))
    assert photos.total() == HOSTILE
    assert {"too_many_pixels", "not_an_image", "empty_file"} < set(photos)
    assert captions.total() == MALFORMED + HOSTILE
    assert RecordSet.open(str(tmp_path / "out")).manifest.photos("train") == 160
    assert memory < undisturbed.memory + 150 * MEBIBYTE


def most_memory(*args) -> tuple[subprocess.CompletedProcess, int]:
    """The finished command, and the most memory it held, in kilobytes."""
    measure = (
        "import os, resource, subprocess, sys\n"
        "code = subprocess.run(sys.argv[1:]).returncode\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "print(f'\\n{used}')\n"
        "sys.exit(code)"
    )
    line = [sys.executable, "-c", measure, *command(*args)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE)
    return done, int(done.stdout.splitlines()[-1])
