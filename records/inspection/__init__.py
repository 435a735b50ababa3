"""Summaries, samples and the HTML page of a record set."""
