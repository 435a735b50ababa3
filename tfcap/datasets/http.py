"""Fetches one file over HTTP, and resumes where an earlier attempt stopped.

    NAME.part   the bytes received so far
    NAME        the whole file, of the right length and digest

A digest that is known before the transfer decides in the end. A part can therefore be
continued from any server. A file of unknown length begins again.
"""

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable

from records.errors import UserError
from records.storage.files import named_errors, remove_if_there

BLOCK = 1 << 18
MOST = 64 << 20  # bytes of a file whose length is not known
TIMEOUT = 30.0  # seconds without a byte
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before each new try, while nothing arrives
Shown = Callable[[int], None]
TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


def fetch(
    url: str, path: str, length: int | None, digest: str | None, shown: Shown
) -> None:
    """Fetches a file; continues the part of an earlier attempt.

    Args:
        url: address, http or https.
        path: path of the whole file.
        length: size of the file, in bytes; None if it is not known.
        digest: as `digest_problem` takes it.
        shown: called repeatedly with the number of bytes received.

    Raises:
        UserError: no network, no such file, another length or digest, a full disk, or
            a connection that breaks off again and again. The part is kept unless its
            digest is wrong.
    """
    part, waits = path + ".part", iter(WAITS)
    while length is None or size_of(part) < length:
        before = size_of(part)
        try:
            transfer(url, part, length, shown)
            break
        except (OSError, http.client.HTTPException) as error:
            if length and size_of(part) > before:
                waits = iter(WAITS)
            wait = next(waits, None)
            if wait is None:
                raise UserError(
                    f"{url}: {describe(error)}; {what_is_kept(part, length)}"
                ) from None
            time.sleep(wait)
    if problem := digest_problem(part, digest):
        remove_if_there(part)
        raise UserError(f"{url}: {problem}; the file is removed")
    os.replace(part, path)


def what_is_kept(part: str, length: int | None) -> str:
    if length is None:
        return "run the same command again"
    return (
        f"{size_of(part):,} of {length:,} bytes are in {part}. Run the same command "
        "again to resume"
    )


def transfer(url: str, part: str, length: int | None, shown: Shown) -> None:
    """Adds to a part what one request returns; without a length, replaces the part.

    Raises:
        OSError, HTTPException: not all of the file arrived.
        UserError: another attempt would not help.
    """
    with open_url(url, size_of(part) if length else 0) as response:
        if response.status != http.client.PARTIAL_CONTENT:
            remove_if_there(part)
        size = size_of(part)
        expected = check_length(url, size, response.length, length)
        while size != expected:
            block = response.read(min(BLOCK, (expected or MOST + 1) - size))
            if not block and expected is None and size:
                return
            if not block:
                raise ConnectionError("the connection broke off")
            with named_errors("write", part), open(part, "ab") as file:
                file.write(block)
            size += len(block)
            check_bound(url, size, length)
            shown(size)


def check_length(
    url: str, size: int, rest: int | None, length: int | None
) -> int | None:
    """Returns the length of the whole file; None if it is not known.

    Args:
        url: address, for messages.
        size: bytes that are here already.
        rest: bytes that the server announces; None if it does not.
        length: bytes expected; None if they are not known.

    Raises:
        UserError: the server announces another file.
    """
    announced = None if rest is None else size + rest
    if length is None:
        return announced or None
    if announced not in (None, length):
        raise UserError(
            f"{url} is a file of {announced:,} bytes, not of {length:,}: another one"
        )
    return length


def check_bound(url: str, size: int, length: int | None) -> None:
    """Raises UserError if a file of unknown length has too many bytes."""
    if length is None and size > MOST:
        raise UserError(f"{url} has more than {MOST:,} bytes, the most that is read")


def open_url(url: str, start: int) -> http.client.HTTPResponse:
    """Requests a file from byte `start` on.

    Raises:
        OSError: the server is busy.
        UserError: the server cannot be reached or refuses.
    """
    headers = {"User-Agent": "tfcap", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        request = urllib.request.Request(url, headers=headers)
        return urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        problem = f"the server answers {error.code} {error.reason}"
        if error.code in TRY_AGAIN:
            raise ConnectionError(problem) from None
        raise UserError(f"{url}: {problem}; name another place with --from") from None
    except urllib.error.URLError as error:
        raise UserError(
            f"cannot reach {url}: {describe(error.reason)}; check the network, or name "
            "another place with --from"
        ) from None
    except (ValueError, http.client.InvalidURL) as error:
        raise UserError(f"{url} is no address: {error}") from None


def describe(error: object) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def size_of(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def digest_problem(path: str, digest: str | None) -> str | None:
    """Describes how a file's digest differs; None if it does not.

    Args:
        path: path of the file.
        digest: `algorithm:hexadecimal`, of an algorithm that hashlib knows; None for
            a file of which none is known, which differs from nothing.
    """
    if digest is None:
        return None
    algorithm, _, expected = digest.partition(":")
    computed = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            computed.update(block)
    if computed.hexdigest() == expected:
        return None
    return (
        f"its {algorithm} digest is {computed.hexdigest()}, not {expected}, so it is "
        "damaged, or another file"
    )
