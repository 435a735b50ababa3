"""Layers that the captioning models are made of."""
