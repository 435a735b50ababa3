"""Runners: their options, checks and the processes they need."""
