"""Helpers shared by the tests of the monitor."""

import torch
from torch import Tensor, nn


def sparse(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return activations of which about half are 0, among them whole units and a whole sample."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    x = torch.where(x > -0.1, x, 0.0)
    x[0] = 0.0
    x[..., -1] = 0.0
    return x.to(dtype)


class Autoencoder(nn.Module):
    """Four numbers to six and back; its activation works in place."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Linear(4, 6).double()
        self.act = nn.ReLU(inplace=True)
        self.decoder = nn.Linear(6, 4).double()

    def code(self, x: Tensor) -> Tensor:
        return (x @ self.encoder.weight.T + self.encoder.bias).clamp(min=0)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.act(self.encoder(x)))


def batches(sizes: tuple[int, ...] = (5, 1, 7)) -> list[Tensor]:
    """Return inputs of an `Autoencoder`, of unequal numbers of samples."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, 4, generator=generator, dtype=torch.float64) for n in sizes]
