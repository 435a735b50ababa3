"""The input pipeline, from a record set to batches."""
