"""Photo decoding, EXIF orientation and the search for photo files."""
