"""Caption tokenizers and the vocabulary."""
