"""Sources of captions and splits, a module for each form."""
