"""The same network without the library, whose outputs are kept as its modules returned them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from fuzz.case import Case, RegSpec, RuleSpec
from fuzz.formulas import elements, of_weight, settled, value
from fuzz.models import build
from fuzz.rules import SELECTS, TYPES, pattern
from fuzz.weights import Weight, weights_of

Seen = dict[str, list[Any]]
"""What the modules of these names returned, call by call."""


class Output(NamedTuple):
    """A tensor to penalise, and what its module says of it."""

    x: Tensor
    batch_axis: int | tuple[int, ...] = 0
    mask: Tensor | None = None
    time_axis: int | None = None


class Twin:
    """A copy of a model for plain autograd, with the penalties by hand.

    It is in float64, but where the model rounds to half precision: there it rounds alike, so that
    what differs is the penalty alone.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        half = case.autocast or case.dtype == "bfloat16"
        self.dtype = getattr(torch, case.dtype) if half else torch.float64
        self.model = build(case, plain=True).to(self.dtype)
        self.seen: Seen = {}
        self._kept: set[str] = set()
        self.follow()

    def follow(self) -> None:
        """Keep the outputs of modules that are new, too."""
        for rule in self.case.rules():
            for name in self.sites(rule) if rule.kind == "activity" else ():
                if name not in self._kept:
                    self.model.get_submodule(name).register_forward_hook(self._keeper(name))
                    self._kept.add(name)

    def sites(self, rule: RuleSpec) -> list[str]:
        """Return the names of the modules that a rule means, each under the first name it has."""
        if rule.where in TYPES:
            wanted = TYPES[rule.where]
            return [n for n, module in self.model.named_modules() if isinstance(module, wanted)]
        module = self.model.get_submodule(rule.where)
        return [next(n for n, other in self.model.named_modules() if other is module)]

    def _keeper(self, name: str):
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            if module.training and torch.is_grad_enabled():
                self.seen[name].append(_kept(output))

        return keep

    @torch.no_grad()
    def copy_from(self, model: nn.Module) -> None:
        """Take the parameters and buffers of `model`."""
        for mine, other in (
            (self.model.named_parameters(), model.named_parameters()),
            (self.model.named_buffers(), model.named_buffers()),
        ):
            for (name, to), (other_name, of) in zip(mine, other, strict=True):
                assert name == other_name
                to.copy_(of)
        self.model.zero_grad()

    def forward(self, x: Tensor) -> tuple[Tensor, Seen]:
        """Return the output for `x`, and what the modules returned on the way."""
        self.seen = defaultdict(list)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.case.autocast):
            return self.model(x), self.seen

    def activities(
        self, reg: RegSpec, seen: Iterable[Seen], factors: dict[RuleSpec, float]
    ) -> dict[str, Tensor]:
        """Return the penalties of what was seen by their names in the log."""
        values: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
        for rule in reg.rules:
            for site in self.sites(rule) if rule.kind == "activity" else ():
                module = self.model.get_submodule(site)
                for element in elements(rule.penalty):
                    kind = "temporal" if element.in_time else "activity"
                    key = f"{site}/{kind}/{element.name}"
                    values[key] = values[key] + 0.0
                    for output in [y for one in seen for y in one.get(site, [])]:
                        x, batch_axis, mask, time_axis = self._output(rule, module, output)
                        exact = settled(element, rule, batch_axis)
                        penalty = value(exact, x, mask, time_axis)
                        values[key] = values[key] + factors[rule] * penalty
        return dict(values)

    def weights(self, rule: RuleSpec) -> list[Weight]:
        """Return the weights of a rule, in float64."""
        found = weights_of(self.model, rule.kind, rule.where)
        return [weight._replace(tensor=weight.tensor.double()) for weight in found]

    def penalties_of_weights(
        self, reg: RegSpec, factors: dict[RuleSpec, float]
    ) -> dict[str, Tensor]:
        """Return the penalties of weights by kind and penalty, those of all weights together."""
        values: dict[str, Tensor] = defaultdict(lambda: torch.zeros(()))
        for rule in reg.rules:
            if rule.kind == "activity":
                continue
            weights = self.weights(rule)
            for element in elements(rule.penalty):
                key = f"{rule.kind}/{element.name}"
                values[key] = values[key] + 0.0
                exact = settled(element, rule, 0)
                for weight in weights:
                    values[key] = values[key] + factors[rule] * of_weight(exact, weight)
        return dict(values)

    def _output(self, rule: RuleSpec, module: nn.Module, output: Any) -> Output:
        """Return the tensor that a rule means, in float64."""
        batch_first = self.case.batch_first
        select = SELECTS[rule.select]
        if isinstance(module, nn.RNNBase):
            if rule.select == "last":
                return Output(select(output).double(), 1)
            of_sequences = 0 if batch_first else 1
            x, mask = output[0], None
            if isinstance(x, PackedSequence):
                x, lengths = pad_packed_sequence(x, batch_first=batch_first)
                mask = torch.arange(int(lengths.max())) < lengths[:, None]
                mask = mask if batch_first else mask.T
            result = Output(x.double(), of_sequences, mask, 1 - of_sequences)
        elif isinstance(module, nn.MultiheadAttention):
            result = Output(output[0].double(), 0 if batch_first else 1)
        else:
            result = Output((select(output) if callable(select) else output).double())
        if rule.mask:
            return result._replace(mask=pattern(result.x.shape, rule.mask_axes))
        return result


def _kept(output: Any) -> Any:
    """Return an output that nothing changes in place, in its graph."""
    if isinstance(output, PackedSequence):
        return output._replace(data=output.data.clone())
    if isinstance(output, Tensor):
        return output.clone()
    return tuple([_kept(part) for part in output]) if isinstance(output, tuple) else output
