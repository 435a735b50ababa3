"""The page at `/`: one response that needs nothing from elsewhere."""

import functools
import random

from records.html.images import photo_url
from records.html.page import Page, csp_hash
from tfcap.config.serving import ServingConfig
from tfcap.datasets import synthetic

SCRIPTS = ("sending.js", "attention.js", "card.js", "page.js")
PAGE = Page(
    "tfcap.web",
    "caption/page.html",
    ("caption/page.css",),
    tuple(f"caption/{name}" for name in SCRIPTS),
)
SAMPLES = (
    ("white snow", "red", "star", "large", synthetic.MIDDLE),
    ("blue water", "yellow", "circle", "small", "on the left"),
    ("yellow sand", "blue", "ring", "large", synthetic.MIDDLE),
    ("green grass", "white", "triangle", "small", "on the right"),
    ("grey stone", "orange", "bar", "large", synthetic.MIDDLE),
    ("brown wood", "green", "star", "small", synthetic.MIDDLE),
)
SAMPLE_SIDE = 240  # pixels


def render(config: ServingConfig, asks_for_token: bool, explains: bool) -> str:
    """Returns the page.

    Args:
        config: settings of the server.
        asks_for_token: the server asks for a token, so the page does from the start.
        explains: the model gives beams and words as well.
    """
    return PAGE.render(
        title="Photo captions",
        samples=draw_samples(),
        max_bytes=config.max_body_bytes,
        explains=explains,
        asks_for_token=asks_for_token,
    )


@functools.cache
def headers() -> dict[str, str]:
    """Returns the headers that restrict what the page may do in a browser.

    They hold for any name or caption of a photo: only the page's own style sheet and
    script run, by their digests; the page loads from and calls this server only; no
    other page may frame it.
    """
    policy = {
        "default-src": "'none'",
        "script-src": csp_hash(PAGE.script),
        "style-src": csp_hash(PAGE.style),
        "img-src": "blob: data:",
        "connect-src": "'self' data:",  # samples are data
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(map(" ".join, policy.items())),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }


@functools.cache
def draw_samples() -> dict[str, str]:
    """Returns name -> data URL of drawings. Nobody has rights in them."""
    grounds = {ground.name: ground for ground in synthetic.GROUNDS}
    drawings = {}
    for ground, colour, shape, size, place in SAMPLES:
        name = f"{size} {colour} {shape} on {ground}"
        scene = synthetic.Scene(grounds[ground], colour, shape, size, place)
        drawing = synthetic.draw(scene, SAMPLE_SIDE, random.Random(name))
        drawings[name] = photo_url(drawing)
    return drawings
