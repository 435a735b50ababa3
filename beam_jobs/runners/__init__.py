"""Runs pipelines on Beam's runners."""
