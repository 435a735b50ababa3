"""Configuration of an experiment: its sections, their checks and their files."""
