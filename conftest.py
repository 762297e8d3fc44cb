"""Examples and tests that use Keras run on PyTorch, in this process; its default is TensorFlow."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

collect_ignore_glob = ["docs/conf.py", "docs/_ext/*", "docs/examples/*", "docs/tutorials/*"]
"""The configuration of the site, and what its build writes; the gallery has a test of its own."""
