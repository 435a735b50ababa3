"""Caption metrics and the tokenizer, resampling and file formats they need."""
