"""A self-contained HTML page of photos, captions and scores."""
