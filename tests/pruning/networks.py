"""Networks with units of zeros, for the tests of `compact`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Make = Callable[[], nn.Module]


def mlp() -> nn.Module:
    return nn.Sequential(
        *(nn.Linear(5, 9), nn.ReLU(), nn.Dropout(0.3)),
        *(nn.Linear(9, 8, bias=False), nn.GELU()),
        *(nn.Sequential(nn.Linear(8, 7), nn.Tanh()), nn.Linear(7, 3)),
    )


def normed_mlp() -> nn.Module:
    return nn.Sequential(
        *(nn.Linear(5, 9), nn.BatchNorm1d(9), nn.SiLU()),
        *(nn.Linear(9, 8), nn.BatchNorm1d(8, affine=False), nn.ELU()),
        *(nn.Linear(8, 6), nn.BatchNorm1d(6, track_running_stats=False), nn.Linear(6, 2)),
    )


def cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 7, 3, padding=1, padding_mode="reflect"), nn.LeakyReLU(), nn.AvgPool2d(2)),
        *(nn.Dropout2d(), nn.Flatten(), nn.BatchNorm1d(28), nn.Linear(28, 6), nn.Softplus()),
        nn.Linear(6, 3),
    )


def convolutions() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv1d(2, 6, 3, stride=2), nn.Hardswish()),
        *(nn.Conv1d(6, 5, 3, dilation=2, padding="valid"), nn.AdaptiveAvgPool1d(2)),
        *(nn.Flatten(), nn.Linear(10, 2)),
    )


def volumes() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv3d(1, 5, 2, bias=False), nn.Sigmoid(), nn.MaxPool3d(2, padding=1)),
        *(nn.Conv3d(5, 4, 2), nn.AdaptiveMaxPool3d(1), nn.Flatten(), nn.Linear(4, 2)),
    )


class Named(nn.Module):
    """Calls its modules in an order that is not that of their names, some in a branch each."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)
        self.act = nn.ReLU()
        self.first = nn.Linear(5, 6)
        self.other = nn.Linear(5, 4)
        self.out = nn.Linear(4, 3)

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return self.head(self.act(self.first(x))) * scale + self.out(self.other(x))


NETWORKS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "mlp": (mlp, (4, 5)),
    "tokens": (mlp, (2, 3, 5)),
    "normed": (normed_mlp, (4, 5)),
    "cnn": (cnn, (3, 2, 10, 10)),
    "one dimension": (convolutions, (3, 2, 17)),
    "three dimensions": (volumes, (2, 1, 5, 5, 5)),
    "branches": (Named, (4, 5)),
}


def set_units_to_zero(
    model: nn.Module, seed: int, share: float = 0.5, *, bias: bool = True
) -> dict[str, int]:
    """Set random kernels of units to 0, not all of a layer; return how many of each layer.

    Args:
        model: the model; its batch norms get random scales and running statistics.
        seed: of the random numbers.
        share: about how many.
        bias: whether their biases become 0, too, and with them shifts and means of batch norms.
    """
    generator = torch.Generator().manual_seed(seed)
    counts = {}
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                for x in [*module.parameters(), module.running_mean, module.running_var]:
                    if x is not None:
                        x.copy_(torch.rand(x.shape, generator=generator) + 0.5)
        for name, module in model.named_modules():
            if isinstance(module, (nn.Linear, nn.modules.conv._ConvNd)):
                zero = torch.rand(len(module.weight), generator=generator) < share
                zero[0] = False
                counts[name] = int(zero.sum())
                module.weight[zero] = 0
                if bias and module.bias is not None:
                    module.bias[zero] = 0
    return counts


def parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())
