"""The files that pages are made of; a page itself needs nothing from elsewhere.

caption/   what `tfcap serve` shows at /
gallery/   what `tfcap evaluate --gallery` writes
"""

import base64
import functools
import hashlib
from importlib import resources


@functools.cache
def read(name: str) -> str:
    """A file by its path below this folder."""
    return resources.files(__name__).joinpath(*name.split("/")).read_text("utf-8")


def digest(text: str) -> str:
    """As a content security policy names a script or style that may run."""
    sha256 = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(sha256).decode()}'"
