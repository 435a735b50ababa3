"""Fetches one file over HTTP, and resumes where an earlier attempt stopped.

    NAME.part   the bytes received so far
    NAME        the whole file, of the right length and digest

The digest is known before the transfer, and decides in the end. A part can therefore be
continued from any server.
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
TIMEOUT = 30.0  # seconds without a byte
WAITS = (1.0, 2.0, 4.0, 8.0)  # seconds before each new try, while nothing arrives
Shown = Callable[[int], None]
TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


def fetch(url: str, path: str, length: int, digest: str, shown: Shown) -> None:
    """Fetches a file; continues the part of an earlier attempt.

    Args:
        url: address, http or https.
        path: path of the whole file.
        length: size of the file, in bytes.
        digest: as `digest_problem` takes it.
        shown: called repeatedly with the number of bytes received.

    Raises:
        UserError: no network, no such file, another length or digest, a full disk, or
            a connection that breaks off again and again. The part is kept unless its
            digest is wrong.
    """
    part, waits = path + ".part", iter(WAITS)
    while (before := size_of(part)) < length:
        try:
            transfer(url, part, length, shown)
        except (OSError, http.client.HTTPException) as error:
            if size_of(part) > before:
                waits = iter(WAITS)
            wait = next(waits, None)
            if wait is None:
                raise UserError(
                    f"{url}: {describe(error)}; {size_of(part):,} of {length:,} bytes "
                    f"are in {part}. Run the same command again to resume"
                ) from None
            time.sleep(wait)
    if problem := digest_problem(part, digest):
        remove_if_there(part)
        raise UserError(f"{url}: {problem}; the file is removed")
    os.replace(part, path)


def transfer(url: str, part: str, length: int, shown: Shown) -> None:
    """Adds to a part what one request returns.

    Raises:
        OSError, HTTPException: not all of the file arrived.
        UserError: another attempt would not help.
    """
    with open_url(url, size_of(part)) as response:
        if response.status != http.client.PARTIAL_CONTENT:
            remove_if_there(part)
        size = size_of(part)
        if response.length is not None and size + response.length != length:
            raise UserError(
                f"{url} is a file of {size + response.length:,} bytes, not of "
                f"{length:,}: another one"
            )
        while size < length:
            block = response.read(min(BLOCK, length - size))
            if not block:
                raise ConnectionError("the connection broke off")
            with named_errors("write", part), open(part, "ab") as file:
                file.write(block)
            size += len(block)
            shown(size)


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


def digest_problem(path: str, digest: str) -> str | None:
    """Describes how a file's digest differs; None if it does not.

    Args:
        path: path of the file.
        digest: `algorithm:hexadecimal`, of an algorithm that hashlib knows.
    """
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
