"""Small models: chains of parts that keep the shape of what they are given."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from fuzz.case import Case, Part


class Lambda(nn.Module):
    """A function as a module."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class Bent(nn.Module):
    """A parametrization that is not linear."""

    def forward(self, w: Tensor) -> Tensor:
        return w + 0.3 * w**3


class Around(nn.Module):
    """A residual branch."""

    def __init__(self, inner: nn.Module, how: str) -> None:
        super().__init__()
        self.inner = inner
        self.how = how

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        if self.how == "add":
            return x + y
        y += x
        return y


def _permuted(x: Tensor) -> Tensor:
    return (1.5 * x).mT.contiguous().mT


def _strided(x: Tensor) -> Tensor:
    return torch.cat([x, 0.5 * x], dim=-1)[..., ::2]


FUNCTIONS = {
    "view": lambda x: x.view_as(x),
    "permuted": _permuted,
    "expanded": lambda x: x.mean(-1, keepdim=True).expand_as(x),
    "strided": _strided,
    "add_in_place": lambda x: x.add_(0.5),
    "scale_in_place": lambda x: x.mul_(-1.5),
}

ACTIVATIONS = {
    "relu": nn.ReLU,
    "relu_in_place": lambda: nn.ReLU(inplace=True),
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "softmax": lambda: nn.Softmax(dim=-1),
    "gelu": nn.GELU,
    "leaky": nn.LeakyReLU,
    "silu": nn.SiLU,
    "identity": nn.Identity,
}

RECURRENT = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}

IN_PLACE = ("add_in_place", "scale_in_place", "relu_in_place")

CARRYING = ("linear", "conv", "depthwise", "transposed")
"""Kinds of parts with a `weight` that can be pruned and parametrized."""

WITH_WEIGHTS = (*CARRYING, *RECURRENT, "attention")


def _norm(width: int) -> nn.Module:
    """Return a norm whose outputs do not add up to 0, where rounding decides on signs."""
    module = nn.LayerNorm(width)
    nn.init.normal_(module.weight, 1.0, 0.3)
    nn.init.normal_(module.bias, 0.0, 0.3)
    return module


def module_of(part: Part, case: Case) -> nn.Module:
    """Return the module of a part."""
    width = case.width
    match part.kind:
        case "linear":
            return nn.Linear(width, width)
        case "conv":
            return nn.Conv2d(width, width, 3, padding=1)
        case "depthwise":
            return nn.Conv2d(width, width, 3, padding=1, groups=width)
        case "transposed":
            return nn.ConvTranspose2d(width, width, 3, padding=1)
        case "norm":
            return _norm(width)
        case "jumprelu":
            return rz.layers.JumpReLU(width, 0.1, bandwidth=0.8)
        case "attention":
            return nn.MultiheadAttention(width, 1, batch_first=case.batch_first)
        case "rnn" | "gru" | "lstm":
            return RECURRENT[part.kind](width, width, batch_first=case.batch_first)
    made = ACTIVATIONS.get(part.kind)
    return Lambda(FUNCTIONS[part.kind]) if made is None else made()


class Chain(nn.Module):
    """The parts of a case, one after the other."""

    def __init__(self, case: Case, *, plain: bool) -> None:
        super().__init__()
        self.case, self.plain, self.plan = case, plain, case.parts
        for part in case.parts:
            if part.same_as:
                self.add_module(part.name, getattr(self, part.same_as))
                continue
            module = module_of(part, case)
            self.add_module(part.name, Around(module, part.around) if part.around else module)
            if part.tied_to:
                module.weight = self.carrier(part.tied_to).weight
            if part.frozen:
                module.requires_grad_(False)
            if part.kind in CARRYING:
                with_weight(module, part.weight)

    def carrier(self, name: str) -> nn.Module:
        """Return the module of the part that has weights."""
        module = getattr(self, name)
        return module.inner if isinstance(module, Around) else module

    def append(self) -> None:
        """Add one more linear layer at the end."""
        parameter = next(self.parameters())
        layer = nn.Linear(self.case.width, self.case.width)
        generator = torch.Generator().manual_seed(self.case.seed)
        with torch.no_grad():
            for p in layer.parameters():
                p.copy_(torch.randn(p.shape, generator=generator) / 2)
        self.add_module("added", layer.to(parameter.dtype))
        self.plan = (*self.plan, Part("added"))

    def forward(self, x: Tensor) -> Tensor:
        for part in self.plan:
            for _ in range(part.times):
                x = self._called(part, x)
        return x

    def _called(self, part: Part, x: Tensor) -> Tensor:
        if part.checkpoint and not self.plain:
            reentrant = part.checkpoint == "reentrant"
            return checkpoint(self._through, part.name, x, use_reentrant=reentrant)
        return self._through(part.name, x)

    def _through(self, name: str, x: Tensor) -> Tensor:
        module = getattr(self, name)
        if isinstance(module, nn.MultiheadAttention):
            return module(x, x, x)[0]
        if isinstance(module, nn.RNNBase):
            if not self.case.packed:
                return module(x)[0]
            options = {"batch_first": self.case.batch_first}
            packed = pack_padded_sequence(x, self.case.lengths, enforce_sorted=False, **options)
            return pad_packed_sequence(module(packed)[0], **options)[0]
        return module(x)


def with_weight(module: nn.Module, how: str, shift: int = 0) -> None:
    """Let the weight of `module` be computed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older weight_norm is deprecated
        match how:
            case "parametrized":
                parametrize.register_parametrization(module, "weight", Bent())
            case "weight_norm":
                parametrizations.weight_norm(module)
            case "hooked":
                nn.utils.weight_norm(module)
            case "pruned":
                places = torch.arange(module.weight.numel()).reshape(module.weight.shape)
                prune.custom_from_mask(module, "weight", (places + shift) % 3 != 0)


def build(case: Case, *, plain: bool = False) -> Chain:
    """Return the model of a case in float64; a plain one has no checkpoints."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(case.seed)
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            model = Chain(case, plain=plain)
        finally:
            torch.set_default_dtype(default)
    return model
