"""Lightning as all trainings here use it: silent where nobody can act, and interruptible."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Silence Lightning's warnings that the user of a training cannot act on."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # the samples are in memory, so workers would only be slower
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        # a deprecation in Lightning's own call of PyTorch
        warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
        # the folder of the checkpoints is made for them and may exist
        warnings.filterwarnings("ignore", ".*exists and is not empty.*")
        # a run folder may be moved or copied, and go on where it is
        warnings.filterwarnings("ignore", "The dirpath has changed from.*")
        yield


@contextmanager
def own_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on Ctrl-C, where Lightning would exit the process."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        signal.signal(signal.SIGINT, handler)
