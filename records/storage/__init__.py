"""Local and remote files, locks, and photo files found by their ids."""
