"""Two real networks, and their gradients by plain float64 autograd of loss + penalty."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.utils.checkpoint
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.models.gpt2.modeling_gpt2 import GPT2Block

import regularizers as rz

STRENGTH = 0.02


class Block(nn.Module):
    """Two convolutions with in-place ReLUs and an in-place residual sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x
        return self.relu(y)


class ResNet(nn.Module):
    """A residual network of three blocks; `checkpointed` computes them again in the backward."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(True))
        self.blocks = nn.ModuleList([Block(6) for _ in range(3)])
        self.head = nn.Linear(6, 10)
        self.checkpointed = False

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for block in self.blocks:
            if self.checkpointed:
                x = torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False)
            else:
                x = block(x)
        return self.head(x.mean(dim=(2, 3)))


@dataclass(frozen=True)
class Case:
    """A network, a batch, its loss, the sites to penalise, and how to checkpoint it."""

    build: Callable[[], nn.Module]
    inputs: Callable[[int], tuple[Tensor, Tensor]]
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor]
    sites: tuple[type[nn.Module] | str, ...]
    checkpoint: Callable[[nn.Module], None]

    def rules(self) -> list[rz.Rule]:
        return [rz.activity(rz.L1(STRENGTH), where=list(self.sites))]

    def by_hand(
        self, model: nn.Module, x: Tensor, y: Tensor, dtype: torch.dtype = torch.float64
    ) -> dict[str, Tensor]:
        """Return the gradients of a copy in `dtype` by plain autograd, eager and in one go."""
        model = copy.deepcopy(model).to(dtype)
        outputs: list[Tensor] = []
        reg = rz.Regularization(copy.deepcopy(model), self.rules())
        names = [row.site for row in reg.report().rows]
        for name in names:
            # a copy of what is put out, since it may be changed in place later
            model.get_submodule(name).register_forward_hook(
                lambda _module, _inputs, out: outputs.append(
                    (out[0] if isinstance(out, tuple) else out).clone()
                )
            )
        x = x.to(dtype) if x.is_floating_point() else x
        loss = self.loss(model, x, y)
        penalty = sum([out.to(dtype).abs().sum() / len(out) for out in outputs])
        (loss + STRENGTH * penalty).backward()
        assert len(outputs) == len(names) > 0
        return {name: p.grad for name, p in model.named_parameters()}


def resnet() -> nn.Module:
    torch.manual_seed(0)
    return ResNet()


def pictures(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(8, 1, 8, 8, generator=generator), torch.arange(8)


def gpt2() -> nn.Module:
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=50,
            n_positions=16,
            n_embd=32,
            n_layer=3,
            n_head=2,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            use_cache=False,
            bos_token_id=0,
            eos_token_id=0,
        )
    ).train()


def tokens(seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 50, (4, 12), generator=generator)
    return ids, ids


def set_checkpointed(model: nn.Module) -> None:
    model.checkpointed = True


CASES = {
    "resnet": Case(
        resnet,
        pictures,
        lambda model, x, y: nn.functional.cross_entropy(model(x), y),
        (Block, "blocks.*.bn1", "blocks.*.bn2"),
        set_checkpointed,
    ),
    "gpt2": Case(
        gpt2,
        tokens,
        lambda model, x, y: model(input_ids=x, labels=y).loss,
        (GPT2Block,),
        lambda model: model.gradient_checkpointing_enable({"use_reentrant": False}),
    ),
}


def relative_error(got: dict[str, Tensor], want: dict[str, Tensor]) -> float:
    """Return the norm of the difference of all gradients over the norm of those wanted."""
    difference = sum([(got[n].double() - g).square().sum() for n, g in want.items()])
    return (difference / sum([g.square().sum() for g in want.values()])).sqrt().item()


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters()}
