"""Photos in zips, tars and Parquet files, read where they lie.

Each kind of container has a module with a function that lists its photos, as
`SourceFile` with a place in the container, and a reader that returns the bytes at such
a place. Readers are asked in the order of places.
"""
