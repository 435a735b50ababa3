"""Counters, the progress line and the summary of a job."""
