"""How much memory a training takes, by arithmetic."""

from __future__ import annotations

import dataclasses

import torch

from regularizers._text import table
from regularizers.errors import ConfigurationError
from regularizers.sae._architectures import coding_of
from regularizers.sae._residuals import BATCHES, POOL, PRODUCTS

_CODES = {"jumprelu": 7, "gated": 7}
_OTHER_CODES = 4
"""Tensors of (batch, units) at once, in a forward and a backward; measured."""

_SAMPLES = 4
"""Tensors of (batch, features) and of (batch, outputs) at once: inputs, targets, errors."""

_DICTIONARIES = 4
"""Tensors of the shape of the dictionary that a step makes: of norms, of Adam."""


@dataclasses.dataclass(frozen=True)
class Memory:
    """Bytes on one device, at the largest moment of a training; printed as a table.

    Attributes:
        weights: of encoder and dictionary.
        gradients: as many; with several processes twice, as DistributedDataParallel sends copies.
        optimizer: both moments of Adam.
        step: what a step of the optimizer and the norms of columns make meanwhile.
        code: pre-activations, code and their gradients, for one batch.
        samples: inputs, targets and errors of one batch.
        revival: the last inputs and errors, and what is made of them beyond the room of the code.

    Example:
        >>> import regularizers as rz
        >>> needed = rz.sae.memory(768, 12_288, batch_size=4096)
        >>> needed.weights == 4 * (2 * 768 * 12_288 + 12_288 + 768)  # two matrices and two biases
        True
        >>> print(f"{needed.total / 2**30:.2f} GiB")
        1.97 GiB
    """

    weights: int
    gradients: int
    optimizer: int
    step: int
    code: int
    samples: int
    revival: int

    @property
    def total(self) -> int:
        """The sum of all, in bytes."""
        return sum(dataclasses.astuple(self))

    def __str__(self) -> str:
        sizes = dataclasses.asdict(self) | {"total": self.total}
        rows = [(name, f"{size / 2**20:,.0f}") for name, size in sizes.items()]
        return table([("memory", "MiB"), *rows], right=[1])

    __repr__ = __str__


def memory(
    features: int,
    units: int,
    batch_size: int,
    *,
    outputs: int | None = None,
    architecture: str = "jumprelu",
    revive: bool = True,
    processes: int = 1,
    dtype: torch.dtype = torch.float32,
) -> Memory:
    """Return how much memory `train` takes on one device, by arithmetic.

    What PyTorch and the data take by themselves is not in it. Against the largest resident memory
    of a process it was within 25 % where it is more than 300 MiB. Each process of several has the
    whole autoencoder, and its part of the batch.

    Args:
        features: the width of inputs; of a crosscoder that of all sites.
        units: the units of the code.
        batch_size: samples of a batch on this device.
        outputs: the width of what is reconstructed; None: `features`.
        architecture: as for `SparseAutoencoder`.
        revive: as for `train`.
        processes: how many share each batch.
        dtype: of the parameters.

    Returns:
        Bytes by what takes them, which print as a table.

    Raises:
        ConfigurationError: sizes that are no positive integers, or an unknown architecture.

    Example:
        >>> import regularizers as rz
        >>> rz.sae.memory(768, 12_288, batch_size=4096)
        memory       MiB
        ---------  -----
        weights       72
        gradients     72
        optimizer    144
        step         144
        code       1,344
        samples       96
        revival      144
        total      2,016
    """
    coding_of(architecture)
    outputs = features if outputs is None else outputs
    sizes = {"features": features, "units": units, "batch_size": batch_size, "outputs": outputs}
    for name, size in (sizes | {"processes": processes}).items():
        if type(size) is not int or size < 1:
            raise ConfigurationError(f"{name}: expected an integer of 1 or more, got {size!r}")
    weights = (features + outputs + 1) * units + outputs
    codes = _CODES.get(architecture, _OTHER_CODES)
    code = codes * batch_size * units
    numbers = Memory(
        weights=weights,
        gradients=weights * min(processes, 2),
        optimizer=2 * weights,
        step=_DICTIONARIES * outputs * units,
        code=code,
        samples=_SAMPLES * batch_size * (features + outputs),
        revival=0,
    )
    if revive:
        rows = min(max(POOL // (batch_size * processes), 1), BATCHES) * batch_size
        products = 2 * min(rows * max(units // 8, 16), PRODUCTS)
        beyond = max(products - code * (codes - 1) // codes, 0)
        numbers = dataclasses.replace(numbers, revival=rows * (features + outputs) + beyond)
    return Memory(*[dtype.itemsize * number for number in dataclasses.astuple(numbers)])
