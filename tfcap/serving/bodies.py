"""Reads bodies of requests: compressed bytes, and forms with files.

A body stays in memory, within `ServingConfig.max_body_bytes`. Functions visit each byte
a fixed number of times, and the server calls them outside the event loop's thread.
"""

import zlib
from typing import NamedTuple

from python_multipart.multipart import parse_options_header
from starlette.exceptions import HTTPException

FIELD = "photo"
HEADERS = 8192  # bytes of the headers of one part
CODINGS = ("gzip", "x-gzip", "deflate")
NO_FORM = "the body is not multipart form data"


class File(NamedTuple):
    """An uploaded file."""

    name: str
    content: bytes


def unpack(body: bytes, coding: str, most: int) -> bytes:
    """Decompresses a body.

    Args:
        body: the body as sent.
        coding: its `Content-Encoding`.
        most: largest size of the result, in bytes.

    Raises:
        HTTPException: 415 for another coding than gzip and deflate, 413 for a larger
            result, 400 for a damaged body.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding not in CODINGS:
        text = f"Content-Encoding {coding!r} is not read: send gzip, deflate or none"
        raise HTTPException(415, text, {"Accept-Encoding": "gzip, deflate"})
    unpacker = zlib.decompressobj(window_bits(body))
    try:
        content = unpacker.decompress(body, most + 1)
    except zlib.error:
        raise HTTPException(400, f"the body is not {coding}") from None
    if len(content) > most:
        raise too_large(most)
    if not unpacker.eof or unpacker.unused_data:
        raise HTTPException(400, f"the body is not {coding}, or not all of it")
    return content


def window_bits(body: bytes) -> int:
    """Returns zlib's number for gzip and zlib streams, or for bare deflate data.

    RFC 9110 means a zlib stream by `deflate`; some clients send the bare data.
    """
    is_zlib = body[:1] == b"\x78" and int.from_bytes(body[:2], "big") % 31 == 0
    return 47 if is_zlib or body[:2] == b"\x1f\x8b" else -15


def too_large(most: int) -> HTTPException:
    return HTTPException(413, f"more than {most / 2**20:g} MiB in one request")


def read_files(body: bytes, content_type: str, most: int) -> list[File]:
    """Reads the files of a form's field `photo`.

    Source: RFC 7578. Names are read as UTF-8, even if a header declares another
    charset.

    Args:
        body: the form.
        content_type: the header `Content-Type`.
        most: largest number of files.

    Raises:
        HTTPException: 400; says what is wrong.
    """
    kind, options = parse_options_header(content_type)
    parts: list[bytes] = []
    if kind == b"multipart/form-data":
        parts = split(body, options.get(b"boundary", b""), 2 * most)
    photos = [file for name, file in map(read_part, parts) if name == FIELD]
    files = [file for file in photos if file is not None]
    if not files or len(files) < len(photos):
        raise HTTPException(400, f'send one or more files in the field "{FIELD}"')
    if len(files) > most:
        raise HTTPException(400, f"{len(files)} photos; at most {most} fit")
    return files


def split(body: bytes, boundary: bytes, most: int) -> list[bytes]:
    """Cuts a body into its parts, each with its headers."""
    if not boundary:
        raise HTTPException(400, NO_FORM)
    # The body may begin with the first boundary.
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary, most + 1)
    end = next((i for i, part in enumerate(parts) if part.startswith(b"--")), None)
    if end is None and len(parts) > most:
        raise HTTPException(400, f"more than {most} parts in one form")
    if end is None:
        raise HTTPException(400, NO_FORM)
    return parts[:end]


def read_part(part: bytes) -> tuple[str, File | None]:
    """Returns the name of a part's field, and its file, or None if it has none."""
    headers, blank, content = part.partition(b"\r\n\r\n")
    if not blank or len(headers) > HEADERS:
        raise HTTPException(400, NO_FORM)
    first, *lines = headers.split(b"\r\n")  # `first`: the rest of the boundary's line
    if first.strip(b" \t"):
        raise HTTPException(400, NO_FORM)
    cut = (line.partition(b":") for line in lines)
    named = {name.strip().lower(): value.strip() for name, _, value in cut}
    _, options = parse_options_header(named.get(b"content-disposition", b""))
    if b"name" not in options:
        raise HTTPException(400, NO_FORM)
    field = options[b"name"].decode("utf-8", "replace")
    if b"filename" not in options:
        return field, None
    return field, File(options[b"filename"].decode("utf-8", "replace"), content)
