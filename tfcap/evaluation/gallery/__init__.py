"""A self-contained HTML page of photos, captions and scores."""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.evaluation.gallery.entries import Entry, select
    from tfcap.evaluation.gallery.page import write_gallery

__all__ = ["Entry", "select", "write_gallery"]

__getattr__ = lazy_names(
    __name__, {"Entry": "entries", "select": "entries", "write_gallery": "page"}
)
