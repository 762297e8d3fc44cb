"""Helpers shared by the tests of attach: a model, an oracle of gradients, access to internals."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

import regularizers as rz


class Net(nn.Module):
    """Names of several depths, a kernel, a bias and a norm; an encoder, blocks and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential()
        self.encoder.add_module("lin", nn.Linear(4, 3))
        self.encoder.add_module("act", nn.Tanh())
        self.blocks = nn.ModuleList([Block(), Block()])
        self.norm = nn.LayerNorm(3)
        self.head = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder(x)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(3, 3)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return x + self.act(self.lin(x))


class Branches(nn.Module):
    """Two sites of which each forward calls some."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 4).double(), nn.Linear(4, 4).double()

    def forward(self, x: Tensor, which: str = "left right") -> Tensor:
        for name in which.split():
            x = getattr(self, name)(x)
        return x


def mlp() -> nn.Sequential:
    """Return a network of float64 with its activation at "1"."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).double()


def batch(rows: int = 6, *, seed: int = 1) -> Tensor:
    """Return inputs for `mlp` and `Net`, in float64."""
    return torch.randn(rows, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def branches() -> tuple[Branches, rz.Regularization]:
    """Return `Branches` and a regularization of both sites by L1 of strength 1."""
    torch.manual_seed(0)
    model = Branches()
    rules = [rz.activity(rz.L1(1.0), where=["left", "right"])]
    return model, rz.Regularization(model, rules)


def per_sample(x: Tensor) -> Tensor:
    """Return the sum of absolute values over units, averaged over samples."""
    return x.abs().sum() / len(x)


def assert_same_loss_and_gradients(model: nn.Module, loss: Tensor, by_hand: Tensor) -> None:
    """Compare two losses, and their gradients for every parameter of `model`."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    torch.testing.assert_close(loss, by_hand)
    actual = torch.autograd.grad(loss, parameters)
    expected = torch.autograd.grad(by_hand, parameters)
    for name, a, e in zip(names, actual, expected, strict=True):
        torch.testing.assert_close(a, e, msg=lambda m, name=name: f"gradient of {name}: {m}")


def kernels(model: nn.Module, penalty: rz.Penalty | None = None, **options) -> rz.Regularization:
    """Return a regularization of kernels, by squares of strength 1 unless told."""
    return rz.Regularization(model, [rz.kernel(penalty or rz.L2Squared(1.0), **options)])


def total(reg: rz.Regularization) -> float:
    """Return what is collected, as a number."""
    return reg.penalty().item()


def squares(*weights: Tensor) -> float:
    """Return the sum of squares of all `weights`."""
    return sum([weight.square().sum().item() for weight in weights])


def sites(reg: rz.Regularization) -> list[str]:
    """Return the names of the sites, as the report shows them."""
    return [row.site for row in reg.report().rows]


def records(reg: rz.Regularization) -> int:
    """Return how many records wait for collection."""
    return len(list(reg._delivery._ledger.records()))


def hook_dicts(model: nn.Module) -> Iterator[dict]:
    """Yield every dictionary in which PyTorch keeps the hooks of a module."""
    for module in model.modules():
        yield module._forward_hooks
        yield module._forward_pre_hooks
        yield module._forward_hooks_always_called
        yield module._forward_hooks_with_kwargs
        yield module._forward_pre_hooks_with_kwargs
        yield module._backward_hooks
