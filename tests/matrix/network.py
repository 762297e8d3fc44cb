"""One small network for every regime, and the gradients it must have by plain autograd."""

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from matrix.penalties import Case

IN, WIDTH, ROWS, STEPS = 4, 6, 8, 3
SITES = "blocks.*.site"

Call = Callable[[nn.Module, Tensor], Tensor]


def _add_in_place(y: Tensor, x: Tensor) -> Tensor:
    y += x
    return y


PRODUCERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(WIDTH, WIDTH),
    "identity": nn.Identity,
    "view": lambda: nn.Unflatten(1, (2, WIDTH // 2)),
    "sigmoid": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "softmax": lambda: nn.Softmax(dim=1),
    "gelu": nn.GELU,
}
"""Modules whose output is penalised."""

AFTER: dict[str, tuple[Call, Call]] = {
    "tanh": (lambda y, x: y.tanh(), lambda y, x: y.tanh()),
    "relu_": (lambda y, x: torch.relu_(y), lambda y, x: torch.relu(y)),
    "+=": (_add_in_place, lambda y, x: y + x),
    "shrink": (lambda y, x: y / 1024, lambda y, x: y / 1024),
}
"""The operation of a block on the output y of its site and its input x; and out of place."""


def directly(block: nn.Module, x: Tensor) -> Tensor:
    return block(x)


class Block(nn.Module):
    def __init__(self, site: str, after: str) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.site = PRODUCERS[site]()
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        return AFTER[self.after][0](self.site(self.linear(x)).flatten(1), x)


class Net(nn.Module):
    """Two blocks between an embedding and a head; `call` is how a block is called."""

    def __init__(self, site: str, after: str, call: Call, repeats: int) -> None:
        super().__init__()
        self.embed = nn.Linear(IN, WIDTH)
        self.blocks = nn.ModuleList([Block(site, after), Block(site, after)])
        self.head = nn.Linear(WIDTH, 2)
        self.call, self.repeats = call, repeats

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).tanh()
        for block in self.blocks:
            for _ in range(self.repeats):
                x = self.call(block, x)
        return self.head(x)


def build(
    *,
    site: str = "linear",
    after: str = "tanh",
    call: Call = directly,
    repeats: int = 1,
    dtype: torch.dtype = torch.float64,
    offset: float = 0.5,
    tied: bool = False,
    frozen: bool = False,
    seed: int = 0,
) -> tuple[Net, Net]:
    """Return a network, and its twin in float64 for `explicit`.

    Its sites put out values around plus and minus `offset`, none near enough to a kink for a
    rounding to cross it.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = Net(site, after, call, repeats)
    with torch.no_grad():
        signs = torch.tensor([1.0, -1.0]).repeat(WIDTH // 2)
        for block in net.blocks:
            linears = [m for m in block.modules() if isinstance(m, nn.Linear)]
            for linear in linears:
                linear.weight *= 0.3
                linear.bias.copy_(0.5 * signs)
            linears[-1].bias.copy_(offset * signs)
    if tied:
        net.blocks[1].linear.weight = net.blocks[0].linear.weight
    if frozen:
        net.embed.requires_grad_(False)
        net.blocks[0].requires_grad_(False)
    net = net.to(dtype)
    return net, copy.deepcopy(net).double()


def batch(n: int, dtype: torch.dtype = torch.float64, rows: int = ROWS) -> Tensor:
    """Return the inputs of step `n`."""
    generator = torch.Generator().manual_seed(100 + n)
    return torch.randn(rows, IN, generator=generator, dtype=dtype)


def batches(dtype: torch.dtype = torch.float64, steps: int = STEPS) -> Iterator[Tensor]:
    """Yield the inputs of every step."""
    return (batch(n, dtype) for n in range(steps))


def task(output: Tensor) -> Tensor:
    """Return the loss without a penalty."""
    return (output - 1).square().mean()


def explicit(twin: Net, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return the output for `x` and what each site put out, with nothing in place."""
    x, seen = twin.embed(x.double()).tanh(), []
    for block in twin.blocks:
        for _ in range(twin.repeats):
            y = block.site(block.linear(x))
            seen.append(y)
            x = AFTER[block.after][1](y.flatten(1), x)
    return twin.head(x), seen


def activity_loss(twin: Net, x: Tensor, case: Case, *, factor: float = 1) -> Tensor:
    """Return the loss with the penalty of every activity."""
    output, seen = explicit(twin, x)
    return task(output) + factor * sum([case.formula(y) for y in seen])


def kernels(model: nn.Module) -> list[Tensor]:
    """Return every weight that multiplies, tied ones once."""
    weights = [m.weight for m in model.modules() if isinstance(m, nn.Linear)]
    return list(dict.fromkeys(weights))


def kernel_loss(twin: Net, x: Tensor, case: Case) -> Tensor:
    """Return the loss with the penalty of every kernel."""
    return task(explicit(twin, x)[0]) + sum([case.formula(w) for w in kernels(twin)])
