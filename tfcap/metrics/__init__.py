"""Caption metrics: BLEU, ROUGE-L and CIDEr; METEOR and SPICE by Java."""
