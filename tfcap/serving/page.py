"""The page at `/`: one response that needs nothing from elsewhere."""

import functools
import random
from html import escape
from string import Template

from records.html.images import photo_url
from tfcap.config.serving import ServingConfig
from tfcap.datasets import synthetic
from tfcap.web.static_files import csp_hash, read_static

SCRIPTS = ("sending.js", "attention.js", "card.js", "page.js")
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
    """The page; it asks for the token at once if the server asks for one.

    Args:
        explains: the model gives beams and words as well.
    """
    return Template(read_static("caption/page.html")).substitute(
        style=_style(),
        script=_script(),
        samples=_samples(),
        max_bytes=config.max_body_bytes,
        explains="true" if explains else "false",
        token_hidden="" if asks_for_token else " hidden",
    )


@functools.cache
def headers() -> dict[str, str]:
    """What the browser is to hold the page to, whatever a photo's name or caption says.

    Its own style and script run, by their digests, and no other; nothing is loaded or
    called but this server; no other page may frame it.
    """
    policy = {
        "default-src": "'none'",
        "script-src": csp_hash(_script()),
        "style-src": csp_hash(_style()),
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


def _style() -> str:
    return read_static("caption/page.css")


def _script() -> str:
    return "".join(read_static(f"caption/{name}") for name in SCRIPTS)


@functools.cache
def _samples() -> str:
    """Drawings as buttons. Drawn here, so that no photo is anybody's."""
    return "\n      ".join(map(_sample, SAMPLES))


def _sample(about: tuple[str, ...]) -> str:
    ground, colour, shape, size, _ = about
    grounds = {ground.name: ground for ground in synthetic.GROUNDS}
    scene = synthetic.Scene(grounds[ground], *about[1:])
    name = escape(f"{size} {colour} {shape} on {ground}")
    drawing = synthetic.draw(scene, SAMPLE_SIDE, random.Random(name))
    return (
        f'<button type="button" class="sample" title="{name}">'
        f'<img alt="{name}" src="{photo_url(drawing)}"></button>'
    )
