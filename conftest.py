"""Examples and tests that use Keras run on PyTorch, in this process; its default is TensorFlow."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")
