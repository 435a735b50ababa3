"""Work directories, checkpoints and the runs of an ensemble."""
