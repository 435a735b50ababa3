"""Static files of the pages. A page needs nothing from another host.

caption/   the page that `tfcap serve` shows at /
gallery/   the page that `tfcap evaluate --gallery` writes
"""
