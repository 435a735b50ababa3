"""Captions and packed photos of a web server, which Beam itself does not reach."""

import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from beam_jobs.containers.members import Container
from beam_jobs.containers.patterns import expand
from beam_jobs.containers.zip_files import ZipReader, list_zip
from beam_jobs.io import beam_storage
from beam_jobs.io.output_directory import claim
from beam_jobs.io.preflight import use_options
from beam_jobs.sources.lines import read_lines, start_of_captions
from records.errors import UserError
from records.storage import registry

pytest.importorskip("aiohttp", reason="an extra: pip install 'tfcap[http]'")


class Ranges(SimpleHTTPRequestHandler):
    """Sends the files of a folder, or parts of them."""

    def do_GET(self):
        path = Path(self.directory, self.path[1:])
        if not path.is_file():
            self.send_error(404)
            return
        content = path.read_bytes()
        asked, status, whole = self.headers.get("Range"), 200, len(content)
        if asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            content, status = content[int(first) : int(last or whole) + 1], 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Range", f"bytes 0-{whole}/{whole}")
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self):
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_remote", None)
    beam_storage.register()

    def handler(*arguments):
        return Ranges(*arguments, directory=str(tmp_path))

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_lines_of_captions(site, tmp_path):
    (tmp_path / "captions.txt").write_text("a.jpg#0\tA dog.\nb.jpg#0\tA cat.\n")
    path = f"{site}/captions.txt"
    lines = [(1, b"a.jpg#0\tA dog."), (2, b"b.jpg#0\tA cat.")]
    assert list(read_lines(path)) == start_of_captions(path) == lines
    with pytest.raises(UserError, match="--captions: no file http"):
        start_of_captions(f"{site}/gone.txt")


def test_members_of_zips(site, tmp_path):
    contents = {"a.jpg": b"first" * 100, "b.jpg": b"second"}
    for number, (name, content) in enumerate(contents.items()):
        with zipfile.ZipFile(tmp_path / f"photos-{number}.zip", "w") as file:
            file.writestr(name, content)
    read = {}
    for path in expand(f"{site}/photos-{{0..1}}.zip"):
        reader = ZipReader(path)
        for member in list_zip(Container.at(path)):
            assert member.modified == 0.0
            read[member.photo_id] = reader.read(member)
        reader.close()
    assert read == contents


def test_a_job_may_start_but_not_write_there(site):
    use_options(PipelineOptions([]), {"--captions": [f"{site}/captions.txt"]})
    with (
        pytest.raises(UserError, match=r"can be read, but not written"),
        claim(f"{site}/records", "dataset.json", overwrite=False),
    ):
        pass
