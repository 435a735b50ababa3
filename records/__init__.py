"""The on-disk contract between the Beam jobs and the captioner.

Owns what is on disk: one record, the vocabulary, the caption tokenizer, shard names,
the manifest, verification. Imports TensorFlow, tensorflow-text and NumPy; never Beam,
never Keras.
"""
