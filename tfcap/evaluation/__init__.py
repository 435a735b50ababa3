"""Evaluation of a trained model: scores, comparisons and the caption gallery."""
