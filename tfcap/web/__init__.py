"""Templates, style sheets and scripts of the pages. They load nothing from elsewhere.

caption/   the page that `tfcap serve` shows at /
gallery/   the page that `tfcap evaluate --gallery` writes

Both extend `base.html` of `records.html`, which also holds the shared style sheet.
"""
