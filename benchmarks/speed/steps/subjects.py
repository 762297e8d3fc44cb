"""The trained networks, with batches of realistic shape, and their penalised outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from benchmarks.speed.settings import Settings
from benchmarks.speed.steps.models import LanguageModel, Transformer, perceptron, resnet
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

Formula = Literal["L1", "AR", "TAR"]


@dataclass(frozen=True)
class Subject:
    """A network to train.

    Args:
        name: in words.
        build: makes the network.
        inputs: a batch.
        targets: the class of each sample, or of each place of a text.
        sites: the last segment of a module's name, and what is penalised of its output.
        optimizer: of the parameters.
        batch_axis: which axis of the outputs counts samples.
        compiles: whether PyTorch's compiler takes the network as a whole.
        strength: of every penalty.
    """

    name: str
    build: Callable[[], nn.Module]
    inputs: Tensor = field(repr=False)
    targets: Tensor = field(repr=False)
    sites: Mapping[str, Formula]
    optimizer: Callable[[Iterable[nn.Parameter]], Optimizer]
    batch_axis: int = 0
    compiles: bool = True
    strength: float = 1e-6

    def penalised(self, model: nn.Module) -> list[tuple[nn.Module, Formula]]:
        """Return the modules of `model` whose outputs are penalised, as a user would find them."""
        leaves = [(name.rpartition(".")[2], module) for name, module in model.named_modules()]
        return [(module, self.sites[leaf]) for leaf, module in leaves if leaf in self.sites]

    def count_penalised(self) -> int:
        """Return the number of elements of all penalised outputs of one forward."""
        model = self.build().to(self.inputs.device)
        counts: list[int] = []

        def count(module: nn.Module, inputs: object, output: Any) -> None:
            counts.append((output[0] if isinstance(output, tuple) else output).numel())

        for module, _ in self.penalised(model):
            module.register_forward_hook(count)
        with torch.no_grad():
            model(self.inputs)
        return sum(counts)


def subjects(settings: Settings) -> list[Subject]:
    """Return the four networks, on the device, with random data that is the same every time."""
    make = _quick() if settings.quick else _whole()
    torch.manual_seed(0)
    return [of(settings.device) for of in make]


_adam = partial(Adam, lr=1e-4)
_sgd = partial(SGD, lr=1e-3, momentum=0.9)


def _whole() -> list[Callable[[str], Subject]]:
    return [
        partial(mlp, width=512, layers=24, batch=256),
        partial(images, width=16, blocks=4, batch=32),
        partial(decoder, words=2000, length=128, width=256, heads=8, blocks=12, batch=4),
        partial(lstm, words=2000, length=35, width=256, layers=8, batch=20),
    ]


def _quick() -> list[Callable[[str], Subject]]:
    return [
        partial(mlp, width=8, layers=4, batch=6),
        partial(images, width=2, blocks=1, batch=3),
        partial(decoder, words=11, length=5, width=8, heads=2, blocks=2, batch=3),
        partial(lstm, words=11, length=5, width=8, layers=2, batch=3),
    ]


def mlp(device: str, *, width: int, layers: int, batch: int) -> Subject:
    """Return the perceptron; its inputs have the width of its layers."""
    return Subject(
        f"MLP {layers}x{width}",
        lambda: perceptron(width=width, layers=layers, classes=10),
        torch.randn(batch, width).to(device),
        torch.randint(10, (batch,)).to(device),
        {"act": "L1"},
        _adam,
    )


def images(device: str, *, width: int, blocks: int, batch: int) -> Subject:
    """Return the residual network, for images of the size of CIFAR's."""
    return Subject(
        f"ResNet-{6 * blocks + 2}",
        lambda: resnet(width=width, blocks=blocks, classes=10),
        torch.randn(batch, 3, 32, 32).to(device),
        torch.randint(10, (batch,)).to(device),
        {"act1": "L1", "act2": "L1"},
        _sgd,
    )


def decoder(
    device: str, *, words: int, length: int, width: int, heads: int, blocks: int, batch: int
) -> Subject:
    """Return the transformer, with a loss at every place of the text."""
    return Subject(
        f"transformer {blocks}x{width}",
        lambda: Transformer(words=words, length=length, width=width, heads=heads, blocks=blocks),
        torch.randint(words, (batch, length)).to(device),
        torch.randint(words, (batch, length)).to(device),
        {"attention": "L1", "mlp": "L1"},
        _adam,
    )


def lstm(device: str, *, words: int, length: int, width: int, layers: int, batch: int) -> Subject:
    """Return the recurrent language model, penalised as published, and by L1 between layers."""
    return Subject(
        f"LSTM {layers}x{width}",
        lambda: LanguageModel(words=words, width=width, layers=layers),
        torch.randint(words, (length, batch)).to(device),
        torch.randint(words, (length, batch)).to(device),
        {"rnn": "TAR", "norm": "L1", "drop": "AR"},
        _sgd,
        batch_axis=1,
        compiles=False,
    )
