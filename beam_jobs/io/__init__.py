"""Files of a job: remote storage, photos, checks and the output directory."""
