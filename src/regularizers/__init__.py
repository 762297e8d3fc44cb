"""Regularization for neural networks: the right gradient or a loud error, no model edited."""
