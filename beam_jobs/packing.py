"""Text in few bytes, for what is grouped.

The runner in this process holds what it groups as objects: of a photo's five captions
and their words these are some 5 KB, ten times what they are as compressed bytes.
"""

import pickle
import zlib
from typing import Any

# Photos' captions differ little: the fastest level does nearly what the others do.
LEVEL = 1


def pack(thing: Any) -> bytes:
    """For `unpack` in the same job; not a form to keep."""
    return zlib.compress(pickle.dumps(thing, pickle.HIGHEST_PROTOCOL), LEVEL)


def unpack(content: bytes) -> Any:
    return pickle.loads(zlib.decompress(content))
