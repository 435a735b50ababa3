"""One self-contained page of photos, captions and scores, to look at a model with."""

from tfcap.evaluation.gallery.entries import Entry, select
from tfcap.evaluation.gallery.page import write_gallery

__all__ = ["Entry", "select", "write_gallery"]
