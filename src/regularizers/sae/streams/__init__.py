"""Activations of any model as a stream of batches, and their store on disk."""

from regularizers.sae.streams._activations import activations
from regularizers.sae.streams._rows import Batch
from regularizers.sae.streams._stored import StoredActivations
from regularizers.sae.streams._stream import ActivationStream, store

__all__ = ["ActivationStream", "Batch", "StoredActivations", "activations", "store"]
