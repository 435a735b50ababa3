"""Keras layers that the caption models share."""
