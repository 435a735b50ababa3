"""Describes the server's routes as OpenAPI 3.1, by the file `openapi.yaml`."""

from importlib import resources
from typing import Any

import yaml

from tfcap.config.serving import ServingConfig

# Base64 of either alphabet, blanks anywhere, with or without padding.
BLANKS = r"[ \t\n\r\f\v]*"
CHARACTER, PAD = rf"[A-Za-z0-9+/_-]{BLANKS}", f"={BLANKS}"
LAST = f"({CHARACTER}){{2}}(({PAD}){{2}}|{CHARACTER}({PAD})?)?"
BASE64 = f"^{BLANKS}(({CHARACTER}){{4}})*({LAST})?$"


def describe(config: ServingConfig, version: str) -> dict[str, Any]:
    """Returns the description, with the limit of photos and the model's version."""
    text = resources.files("tfcap.serving").joinpath("openapi.yaml").read_text("utf-8")
    values = {"MAX_PHOTOS": config.max_photos, "VERSION": version, "BASE64": BASE64}
    for name, value in values.items():
        text = text.replace(name, str(value))
    content = yaml.safe_load(text)
    return {key: part for key, part in content.items() if not key.startswith("x-")}
