"""The on-disk contract between the Beam jobs and the captioner.

Owns the record format, the vocabulary, the caption tokenizer, shard names, the manifest
and their verification. Imports TensorFlow, tensorflow-text and NumPy, but neither Beam
nor Keras.
"""
