"""A web server of files in memory, with the faults that real ones have."""

import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """Serves `files` at `url`; tests change it while it runs.

    Attributes:
        files: name -> content.
        ranges: whether Range is understood.
        chunked: whether the length is left unsaid.
        cuts: bytes after which the connection breaks off, an entry for each answer.
        statuses: answered in place of files, an entry for each answer.
        length: said in place of the true one.
        asked: headers of each request.
    """

    files: dict[str, bytes]
    ranges: bool = True
    chunked: bool = False
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    length: int | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> "FileServer":
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,)).start()
        return self

    def __exit__(self, *_) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(dict(request.headers))
        content = self.files.get(request.path.lstrip("/"))
        status = self.statuses.pop(0) if self.statuses else 200
        if content is None or status != 200:
            request.send_error(status if content is not None else 404)
            return
        start = self.start(request)
        if start is not None and start >= len(content):
            request.send_error(416)
            return
        self.send_headers(request, content, start)
        body = content[start or 0 :]
        if self.cuts:
            body = body[: self.cuts.pop(0)]
        request.wfile.write(body)

    def start(self, request: BaseHTTPRequestHandler) -> int | None:
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        return int(wanted[1]) if wanted and self.ranges else None

    def send_headers(self, request, content: bytes, start: int | None) -> None:
        request.send_response(200 if start is None else 206)
        length = self.length or len(content)
        if start is not None:
            last = len(content) - 1
            request.send_header("Content-Range", f"bytes {start}-{last}/{length}")
        if not self.chunked:
            request.send_header("Content-Length", str(length - (start or 0)))
        request.end_headers()
