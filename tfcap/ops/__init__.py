"""TensorFlow operations with native kernels and their Python fallbacks."""
