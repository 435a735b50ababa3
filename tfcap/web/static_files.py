"""The static files as text, and their hashes for a content security policy."""

import base64
import functools
import hashlib
from importlib import resources


@functools.cache
def read_static(name: str) -> str:
    """Returns the text of a file, named by its path below `tfcap/web`."""
    return resources.files("tfcap.web").joinpath(*name.split("/")).read_text("utf-8")


def csp_hash(text: str) -> str:
    """Returns the source expression that allows a script or style to run."""
    sha256 = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(sha256).decode()}'"
