"""Remote storage, the output directory, photo files, and checks before a job starts."""
