"""Renders pages from templates: one file each, which needs no other file.

A template extends `base.html` and draws plain data with the macros of `macros.html`.
Everything that it prints is escaped, except what this package marks as safe.
"""

import base64
import functools
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from records import wording

THEME = "theme.css"


@dataclass(frozen=True)
class Page:
    """The template of a page, with its style sheets and scripts.

    Attributes:
        package: package whose directory holds the files.
        template: path of the template in it.
        styles: paths of the style sheets that follow the shared one.
        scripts: paths of the scripts.
    """

    package: str
    template: str
    styles: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()

    @functools.cached_property
    def style(self) -> Markup:
        return read_files(__package__, [THEME]) + read_files(self.package, self.styles)

    @functools.cached_property
    def script(self) -> Markup:
        return read_files(self.package, self.scripts)

    def render(self, **values: Any) -> str:
        """Returns the page; `values` are the names that its template uses."""
        template = environment(self.package).get_template(self.template)
        return template.render(values, style=self.style, script=self.script)


def read_files(package: str, paths: Iterable[str]) -> Markup:
    """Returns the text of files, which templates do not escape."""
    folder = resources.files(package)
    return Markup("").join(Markup((folder / path).read_text("utf-8")) for path in paths)


@functools.cache
def environment(package: str) -> jinja2.Environment:
    """Returns the templates of a package and the shared ones of this package."""
    loaders = [jinja2.PackageLoader(name, "") for name in (package, __package__)]
    templates = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "as_text": wording.as_text,
        "counted": wording.counted,
        "csp_hash": csp_hash,
        "mebibytes": wording.mebibytes,
        "number": "{:,}".format,
        "percent": wording.percent,
    }
    return templates


def csp_hash(text: str) -> Markup:
    """Returns the source expression that allows a script or style sheet to run."""
    digest = hashlib.sha256(text.encode()).digest()
    return Markup(f"'sha256-{base64.b64encode(digest).decode()}'")
