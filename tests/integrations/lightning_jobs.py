"""A small training as Lightning runs it, and the same written by hand in plain PyTorch."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import lightning
import torch
from torch import Tensor, nn

import regularizers as rz

ACTIVITY, KERNEL = 0.1, 0.2
RULES = [
    rz.activity(rz.L1(ACTIVITY), where="net.1"),
    rz.kernel(rz.L2Squared(KERNEL)),
]


def network(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2)).to(dtype)


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.01)


def batches(count: int = 10, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Return batches, of which not all have the same size."""
    drawn = torch.Generator().manual_seed(1)
    return [torch.randn(5 + n % 3, 4, generator=drawn, dtype=dtype) for n in range(count)]


class Batches:
    """A loader of given batches that goes on from where a checkpoint left it."""

    def __init__(self, given: Sequence[Tensor]) -> None:
        self.given, self.taken, self.begin = given, 0, 0

    def __len__(self) -> int:
        return len(self.given)

    def __iter__(self) -> Iterator[Tensor]:
        self.taken, self.begin = self.begin, 0
        for x in self.given[self.taken :]:
            self.taken += 1
            yield x

    def state_dict(self) -> dict[str, int]:
        return {"taken": self.taken}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.begin = state["taken"] % len(self.given)


class Job(lightning.LightningModule):
    """Knows nothing of penalties."""

    def __init__(
        self,
        make: Callable[[Any], torch.optim.Optimizer] = sgd,
        *,
        dtype: torch.dtype = torch.float64,
        returned: Callable[[Tensor, int], Any] = lambda loss, _: loss,
    ) -> None:
        super().__init__()
        self.net, self.make, self.returned = network(dtype), make, returned
        self.lr, self.batch_size = 0.05, 2

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)

    def training_step(self, x: Tensor, index: int) -> Any:
        loss = self(x).square().mean()
        self.log("task", loss)
        return self.returned(loss, index)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make(self.parameters())


class Validated(Job):
    """A job whose validation is logged."""

    def validation_step(self, x: Tensor) -> None:
        self.log("validation", self(x).square().mean(), batch_size=len(x))


def trainer(*callbacks: Any, **options: Any) -> lightning.Trainer:
    settings = {
        "accelerator": "cpu", "max_epochs": 1, "logger": False, "enable_checkpointing": False,
        "enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 1,
    }  # fmt: skip
    return lightning.Trainer(callbacks=list(callbacks), **settings | options)


def by_hand(
    data: Sequence[Tensor],
    make: Callable[[Any], torch.optim.Optimizer] = sgd,
    *,
    accumulate: int = 1,
    attached: bool = True,
    clip: float | None = None,
    dtype: torch.dtype = torch.float64,
    autocast: torch.dtype | None = None,
    scaler: torch.amp.GradScaler | None = None,
    skip: Sequence[int] = (),
) -> list[Tensor]:
    """Return the weights after an epoch; a batch is one of `accumulate`, also in the last step."""
    net = network(dtype)
    kernels = [net[0].weight, net[2].weight]
    optimizer = make(net.parameters())
    scaled = scaler.scale if scaler else lambda loss: loss
    for first in range(0, len(data), accumulate):
        optimizer.zero_grad()
        for index, x in list(enumerate(data))[first : first + accumulate]:
            if index in skip:
                continue
            with torch.autocast("cpu", autocast) if autocast else nullcontext():
                activity = net[:2](x)
                loss = net[2](activity).square().mean()
            loss = loss + ACTIVITY * activity.to(dtype).abs().sum() / len(x)
            if not attached:
                loss = loss + KERNEL * sum(w.square().sum() for w in kernels)
            scaled(loss / accumulate).backward()
        if scaler:
            scaler.unscale_(optimizer)
        if clip:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        if attached:
            for w in kernels:
                if w.grad is not None:
                    w.grad += 2 * KERNEL * w.detach()
        if scaler:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
    return list(net.parameters())
