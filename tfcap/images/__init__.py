"""Photo files: decoding to pixels, EXIF orientation, and paths."""
