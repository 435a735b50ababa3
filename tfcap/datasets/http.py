"""One file over HTTP: all of it, or a part that the next attempt continues.

    NAME.part        what has come so far
    NAME.part.json   of which file: its URL, and how the server marks its version
    NAME             the whole file, of the right length and digest

A part is gone on with only where the server says that the file is still the same
(RFC 9110, 13.1.5: If-Range); a server that ignores this sends the file from the start.
"""

import errno
import hashlib
import http.client
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, ValidationError

from records.errors import UserError

BLOCK = 1 << 18
TIMEOUT = 30.0  # seconds without a byte
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before each new try, while nothing comes
GONE, REFUSED, AGAIN = (404, 410), (401, 403), (408, 425, 429, 500, 502, 503, 504)
RANGE_NOT_SATISFIABLE = 416
CONTENT_RANGE = re.compile(r"bytes (?P<start>\d+)-\d+/(?P<length>\d+|\*)")


class Version(BaseModel):
    """How a server marks one version of a file.

    Attributes:
        url: where it was asked for.
        etag, changed: its ETag and Last-Modified, where it has them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    etag: str | None
    changed: str | None

    @classmethod
    def of(cls, url: str, response: http.client.HTTPResponse) -> "Version":
        headers = response.headers
        return cls(url=url, etag=headers["ETag"], changed=headers["Last-Modified"])

    @property
    def condition(self) -> str | None:
        """For If-Range; None where the server marks no version that it could name."""
        weak = self.etag is None or self.etag.startswith("W/")
        return self.changed if weak else self.etag

    def may_be(self, other: "Version | None") -> bool:
        """False where a mark that both have differs: an answer may leave some out."""
        marks = (
            [(self.etag, other.etag), (self.changed, other.changed)] if other else []
        )
        return bool(other) and all(a == b for a, b in marks if a and b)


class TransferError(Exception):
    """The connection broke off, or the server is busy; says how."""


@dataclass(frozen=True)
class Part:
    """What has come of a file so far; `path` is the whole file's."""

    path: str

    @property
    def file(self) -> str:
        return self.path + ".part"

    @property
    def note(self) -> str:
        return self.path + ".part.json"

    @property
    def size(self) -> int:
        return os.path.getsize(self.file) if os.path.exists(self.file) else 0

    def version(self) -> Version | None:
        """Of which version it is a part, if that was noted."""
        try:
            with open(self.note, encoding="utf-8") as file:
                return Version.model_validate_json(file.read())
        except (OSError, ValidationError):
            return None

    def begin(self, version: Version) -> None:
        """Starts again, as a part of this version."""
        self.remove()
        with open(self.note, "w", encoding="utf-8") as file:
            file.write(version.model_dump_json())

    def remove(self) -> None:
        for path in (self.file, self.note):
            with suppress(FileNotFoundError):
                os.remove(path)


def fetch(
    url: str,
    path: str,
    length: int,
    digest: str,
    shown: Callable[[int], None] = lambda size: None,
) -> None:
    """Fetches `url` to `path`, going on with the part that an earlier try has left.

    Args:
        url: http or https.
        path: where the whole file comes to stand.
        length: of the file, in bytes.
        digest: as `other_digest` takes it.
        shown: called with the bytes there are, again and again.

    Raises:
        UserError: no network, no such file, another length or digest, a full disk, or
            a connection that breaks off without end. A part that may be gone on with
            is kept.
    """
    part, failures = Part(path), 0
    while part.size != length:
        before = part.size
        try:
            transfer(url, part, length, shown)
        except TransferError as problem:
            failures = 1 if part.size > before else failures + 1
            if failures > len(WAITS):
                raise given_up(url, part, length, problem) from None
            time.sleep(WAITS[failures - 1])
    wrong = other_digest(part.file, digest)
    if wrong:
        part.remove()
        raise UserError(f"{url}: {wrong}; what came is removed")
    os.replace(part.file, path)
    part.remove()


def given_up(url: str, part: Part, length: int, problem: TransferError) -> UserError:
    return UserError(
        f"{url}: {problem}; {part.size:,} of {length:,} bytes are in {part.file}. Run "
        "the same command again to resume"
    )


def transfer(url: str, part: Part, length: int, shown: Callable[[int], None]) -> None:
    """One request: adds to the part what comes.

    Raises:
        TransferError: not all of the file came.
        UserError: as `fetch`.
    """
    try:
        with open_url(url, part) as response:
            check_answer(url, response, part, length)
            receive(response, part, length, shown)
    except urllib.error.HTTPError as error:
        raise refusal(url, error, part) from None
    except urllib.error.URLError as error:
        raise out_of_reach(url, error.reason) from None
    except http.client.InvalidURL as error:
        raise UserError(f"{url} is no address: {error}") from None
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(f"the connection broke off ({describe(error)})") from None
    if part.size < length:
        raise TransferError("the connection broke off")


def open_url(url: str, part: Part) -> http.client.HTTPResponse:
    headers = {"User-Agent": "tfcap", "Accept-Encoding": "identity"}
    version = part.version()
    if part.size and version and version.url == url and version.condition:
        headers["Range"] = f"bytes={part.size}-"
        headers["If-Range"] = version.condition
    request = urllib.request.Request(url, headers=headers)
    return urllib.request.urlopen(request, timeout=TIMEOUT)


def check_answer(
    url: str, response: http.client.HTTPResponse, part: Part, length: int
) -> None:
    """Checks that the answer continues the part. A whole file replaces the part.

    Raises:
        TransferError: The answer continues a different file.
        UserError: The file has a different length.
    """
    start, total = 0, response.headers["Content-Length"]
    partial = response.status == http.client.PARTIAL_CONTENT
    if partial:
        found = CONTENT_RANGE.fullmatch(response.headers["Content-Range"] or "")
        start, total = (int(found["start"]), found["length"]) if found else (-1, None)
    if total not in (None, "*") and int(total) != length:
        raise UserError(
            f"{url} is a file of {int(total):,} bytes, not of {length:,}: another one"
        )
    version = Version.of(url, response)
    if not partial:
        part.begin(version)
    elif start != part.size or not version.may_be(part.version()):
        part.remove()
        raise TransferError("the server continues with a different file")


def receive(
    response: http.client.HTTPResponse,
    part: Part,
    length: int,
    shown: Callable[[int], None],
) -> None:
    size = part.size
    with Appended(part.file) as file:
        while block := response.read(BLOCK):
            size += len(block)
            if size > length:
                part.remove()
                raise UserError(f"{response.url} sent more than {length:,} bytes")
            file.write(block)
            shown(size)


class Appended:
    """A file to add to; a disk that refuses is the user's to know of."""

    def __init__(self, path: str):
        self.path = path

    def __enter__(self) -> "Appended":
        self.file = open(self.path, "ab", buffering=0)
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

    def write(self, block: bytes) -> None:
        try:
            view = memoryview(block)
            while view:
                view = view[self.file.write(view) :]
        except OSError as error:
            raise cannot_write(self.path, error) from None


def cannot_write(path: str, error: OSError) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(
            f"the disk of {path} is full; make room, then run the same command again"
        )
    return UserError(f"cannot write {path}: {error.strerror}")


def refusal(url: str, error: urllib.error.HTTPError, part: Part) -> Exception:
    """What an answer other than the file is: to be tried again or a person's to see."""
    if error.code == RANGE_NOT_SATISFIABLE:
        part.remove()
        return TransferError("the part kept was longer than the file")
    if error.code in AGAIN:
        return TransferError(f"the server answers {error.code} {error.reason}")
    if error.code in GONE:
        return UserError(
            f"no file at {url} ({error.code} {error.reason}); name another place that "
            "has it with --from"
        )
    if error.code in REFUSED:
        return UserError(
            f"the server refuses {url} ({error.code} {error.reason}); name another "
            "place with --from"
        )
    return UserError(f"{url}: the server answers {error.code} {error.reason}")


def out_of_reach(url: str, reason: object) -> Exception:
    """Why there is no connection: tried again only where that may help."""
    final = (socket.gaierror, ConnectionRefusedError, ssl.SSLCertVerificationError, str)
    if not isinstance(reason, final):
        return TransferError(f"no connection ({describe(reason)})")
    return UserError(
        f"cannot reach {url}: {describe(reason)}; check the network, or name another "
        "place with --from"
    )


def describe(reason: object) -> str:
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def other_digest(path: str, digest: str) -> str | None:
    """What is wrong with a file's digest, if anything.

    Args:
        path: of the file.
        digest: `algorithm:hexadecimal`, of an algorithm that hashlib knows.
    """
    algorithm, _, expected = digest.partition(":")
    found = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    if found.hexdigest() == expected:
        return None
    return (
        f"its {algorithm} digest is {found.hexdigest()}, not {expected}, so it is "
        "damaged, or another file"
    )
