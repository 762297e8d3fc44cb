"""Forward and backward of one step, with the library and beside it with plain autograd."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fuzz.case import StepSpec
from fuzz.verdict import Invalid, check, zeros_for_missing

if TYPE_CHECKING:
    from fuzz.loop import Loop


class Attempt:
    """Forward and backward of one step, on both sides."""

    def __init__(self, loop: Loop, step: StepSpec) -> None:
        self.loop, self.case, self.step = loop, loop.case, step

    def run(self) -> None:
        """Leave the gradients in the model.

        Raises:
            Mismatch: they are not what plain autograd says, or the loss is not.
            Invalid: plain autograd raises.
        """
        # a checkpoint runs the forward again, which takes the same masks
        checkpointed = any(part.checkpoint for part in self.case.parts)
        with self.loop.masked() if checkpointed else nullcontext():
            losses, inputs = self._ours()
        try:
            expected_losses, expected_inputs = self._theirs()
        except (RuntimeError, NotImplementedError) as error:
            raise Invalid(str(error)) from error
        loop = self.loop
        named = [dict(model.named_parameters()) for model in (loop.model, loop.twin.model)]
        for what, actual, expected in (
            ("gradient", named[0], named[1]),
            ("gradient of inputs", inputs, expected_inputs),
        ):
            gradients = [
                zeros_for_missing({n: t.grad for n, t in side.items()}, side)
                for side in (actual, expected)
            ]
            check(what, *gradients, loop.precision)
        check("loss", losses, expected_losses, loop.precision)

    def _micros(self) -> range:
        return range(2 if self.step.mode in ("accumulate", "joined") else 1)

    def _input(self, micro: int) -> Tensor:
        x = self.loop.inputs(micro)
        reentrant = any(part.checkpoint == "reentrant" for part in self.case.parts)
        return x.requires_grad_(reentrant or self.step.mode == "input_penalty")

    def _loss(self, out: Tensor, micro: int) -> Tensor:
        """Return the loss of the task."""
        generator = torch.Generator().manual_seed(self.case.seed * 1000 + 7 + micro)
        target = torch.randn(out.shape, dtype=torch.float64, generator=generator)
        wide = out.to(torch.promote_types(out.dtype, torch.float32))
        return (wide - target.to(wide.dtype)).square().mean()

    def _ours(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        loop, losses, inputs, open_losses = self.loop, {}, {}, []
        for micro in self._micros():
            x = inputs[f"x{micro}"] = self._input(micro)
            out = loop.forward(x)
            loss = self._loss(out, micro)
            if self.step.mode == "joined" and micro == 0:
                open_losses.append(loss)
                continue
            total = sum(open_losses, loss)
            inside = self.case.autocast and self.case.collects_inside
            with torch.autocast("cpu", torch.bfloat16, enabled=inside):
                for standing in loop.standing:
                    total = standing.joined(total)
            losses[f"loss{micro}"] = total.detach().clone()
            self._backward(total, out, x, loop.model)
        return losses, inputs

    def _theirs(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        loop, losses, inputs, open_losses, current = self.loop, {}, {}, [], []
        for micro in self._micros():
            x = self._input(micro)
            x = x.detach().to(loop.twin.dtype).requires_grad_(x.requires_grad)
            inputs[f"x{micro}"] = x
            out, seen = loop.twin.forward(x)
            current.append(seen)
            loss = self._loss(out, micro)
            if self.step.mode == "joined" and micro == 0:
                open_losses.append(loss)
                continue
            shown = total = sum(open_losses, loss)
            for standing in loop.standing:
                collects = standing.spec.delivery == "collect"
                seen_now = [*loop.pending, *current] if collects else current
                penalty = standing.expected(loop.twin, seen_now)
                total = total + penalty
                shown = shown + (penalty if collects else 0)
            losses[f"loss{micro}"] = shown.detach()
            loop.pending, current = [], []
            self._backward(total, out, x, loop.twin.model)
        return losses, inputs

    def _backward(self, total: Tensor, out: Tensor, x: Tensor, model: torch.nn.Module) -> None:
        parameters = [p for p in model.parameters() if p.requires_grad]
        match self.step.mode:
            case "plain" | "joined":
                total.backward()
            case "accumulate":
                (total / 2).backward()
            case "scaled":
                (total * 4).backward()
            case "twice":
                total.backward(retain_graph=True)
                total.backward()
            case "create_graph":
                gradients = torch.autograd.grad(
                    total, parameters, create_graph=True, allow_unused=True
                )
                for p, gradient in zip(parameters, map(_detached, gradients), strict=True):
                    # a fused step takes a gradient in another order of memory for one in its own
                    p.grad = None if gradient is None else torch.empty_like(p.data).copy_(gradient)
            case "gradient_penalty":
                gradients = torch.autograd.grad(
                    total, parameters, create_graph=True, allow_unused=True
                )
                squares = sum([g.square().sum() for g in gradients if g is not None])
                (total + 0.1 * squares).backward()
            case "input_penalty":
                (gradient,) = torch.autograd.grad(out.sum(), x, create_graph=True)
                (total + 0.1 * gradient.square().sum()).backward()


def _detached(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.detach()
