"""Use of an exported model. Needs TensorFlow, and neither Keras nor the models."""
