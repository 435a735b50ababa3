"""The training loop, its optimizers, metrics, diagnostics and signals."""
