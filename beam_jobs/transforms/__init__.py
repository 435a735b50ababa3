"""The steps of the pipelines, a module each."""
