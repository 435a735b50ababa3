"""Counters, progress and the summary of a running job."""
