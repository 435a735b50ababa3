"""Captions from an exported model, with TensorFlow alone."""
