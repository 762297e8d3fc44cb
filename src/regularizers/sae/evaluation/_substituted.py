"""Replaces the output of a module by its reconstruction, for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from torch import Tensor, nn

from regularizers.errors import OutputError, SelectionError, ShapeError
from regularizers.modules import (
    Hook,
    Mask,
    Select,
    Where,
    activation_of,
    check_model,
    describe,
    described,
    mask_of,
    masked,
    printable,
    refuse_nested,
    replace_in,
    select_modules,
)
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae._evaluation_mode import evaluation_mode

Edit = Callable[[Tensor], Tensor]
"""Maps samples of (samples, features) to others."""


@contextmanager
def substituted(
    model: nn.Module,
    where: Where,
    sae: SparseAutoencoder,
    select: Select | None = None,
    *,
    axis: int = -1,
    mask: Mask | None = None,
) -> Iterator[None]:
    r"""Replace the output of one module by its reconstruction inside the context.

    .. math:: x \mapsto \hat x = \operatorname{sae}(x)

    What comes after the module in the model reads x̂. Gradients pass through the autoencoder, which
    is in evaluation mode inside the context; the model is in the mode that it was in. After it,
    also after an error, both are as before.

    Args:
        model: the model.
        where: one module: its name, its type, the module itself, or a predicate (module, name).
        sae: the autoencoder of that module's outputs.
        select: the part of an output that is no tensor, as in `activity`: an index, a key or
            attribute, or a function of the output. It must be a part, not computed from it.
        axis: the axis of features; 1 for the channels of a convolution.
        mask: as in `activity`: a function of the module's inputs that returns a boolean tensor over
            the leading axes of its output. Where it is False, the output stays as it is.

    Raises:
        SelectionError: no module matches, or several; at the end, the module did not run.
        OutputError: in a forward, no real floating tensor is selected, or it is no part.
        ShapeError: in a forward, the output has another width than the autoencoder.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU())
        >>> sae = rz.sae.SparseAutoencoder(features=8, units=16, active=4, architecture="l1")
        >>> x = torch.ones(2, 3)
        >>> with rz.sae.substituted(model, "0", sae):
        ...     changed = model(x)
        >>> torch.equal(changed, model[1](sae(model[0](x))))
        True
    """
    with evaluation_mode(sae):
        site = site_of(model, where, "substituted")
        place = Place(site, sae.features, select, axis, mask, "substituted")
        with edited(place, reconstruct(sae)):
            yield


def reconstruct(sae: SparseAutoencoder) -> Edit:
    """Return the reconstruction, in the autoencoder's own type and on its device."""

    def edit(x: Tensor) -> Tensor:
        made: Tensor = sae(x.to(sae.encoder.weight))
        return made.to(x)

    return edit


class Place(NamedTuple):
    """The part of a module's output that is replaced."""

    site: tuple[str, nn.Module]
    """The name of the module, as messages have it, and the module."""
    features: int
    select: Select | None
    axis: int
    mask: Mask | None
    caller: str
    """The public function, for messages."""


def site_of(model: nn.Module, where: Where, caller: str) -> tuple[str, nn.Module]:
    """Return the name of the one module that `where` matches, for messages, and the module.

    Raises:
        SelectionError: no module matches, or several.
    """
    check_model(model, caller, "whose outputs are on several devices")
    found = select_modules(model, where, caller)
    if len(found) > 1:
        names = ", ".join(printable(name) for name, _ in found[:4])
        raise SelectionError(
            f"{caller}: expected one module, where={described(where)} matches {len(found)}: "
            f"{names}; name one of them"
        )
    name, module = found[0]
    return printable(name, model), module


@contextmanager
def edited(place: Place, edit: Edit) -> Iterator[None]:
    """Replace a part of an output by what `edit` makes of it inside the context."""
    name, module = place.site
    substitution = _Substitution(place, edit)
    handle = module.register_forward_hook(substitution, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
    if not substitution.number:
        raise SelectionError(
            f"{name}: this module did not run, so nothing was replaced; run the model inside the "
            f"context, and name a module that its forward calls, as module(x) and not "
            f"module.forward(x); a compiled model does not see the context: run the model that was "
            f"compiled"
        )


class _Substitution(Hook):
    """The forward hook that replaces a part of an output."""

    cure = "leave the context first"

    def __init__(self, place: Place, edit: Edit) -> None:
        self._place, self._edit = place, edit
        self._site = place.site[0]
        self.number = 0

    def __call__(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> Any:
        place = self._place
        try:
            activation = activation_of(module, output, place.select, self._site)
        except OutputError as error:
            said = str(error).replace("activity(", f"{place.caller}(")
            raise OutputError(said) from None
        refuse_nested(activation.x, "an autoencoder", self._site)
        if place.mask is not None:
            given = mask_of(place.mask, args, kwargs, self._site)
            activation = masked(activation, given, self._site)
        counts = None if place.mask is None else activation.mask
        new = self._made(activation.entry, counts)
        try:
            replaced = replace_in(output, activation.entry, new, self._site)
        except OutputError:
            raise OutputError(
                f"{self._site}: what select={place.select!r} gives must be a part of the output, "
                f"which is {describe(output)}, and not computed from it"
            ) from None
        self.number += 1
        return replaced

    def _made(self, old: Tensor, counts: Tensor | None) -> Tensor:
        """Return the edited tensor, where it counts."""
        axis = self._place.axis + old.ndim if self._place.axis < 0 else self._place.axis
        if not 0 <= axis < old.ndim or old.shape[axis] != self._place.features:
            raise ShapeError(self._other_width(old))
        rows = old.movedim(axis, -1)
        samples = rows.reshape(-1, self._place.features)
        if counts is None:
            made = self._edit(samples)
        else:
            valid = self._samples_that_count(rows, counts)
            made = samples.clone()
            made[valid] = self._edit(samples[valid])
        return made.reshape(rows.shape).movedim(-1, axis)

    def _samples_that_count(self, rows: Tensor, counts: Tensor) -> Tensor:
        if counts.ndim >= rows.ndim or counts.shape != rows.shape[: counts.ndim]:
            raise ShapeError(
                f"{self._site}: mask: expected a boolean for each sample, the leading axes of "
                f"{tuple(rows.shape[:-1])}, got shape {tuple(counts.shape)}"
            )
        more = (1,) * (rows.ndim - 1 - counts.ndim)
        return counts.reshape(counts.shape + more).expand(rows.shape[:-1]).reshape(-1)

    def _other_width(self, old: Tensor) -> str:
        fitting = [axis for axis, size in enumerate(old.shape) if size == self._place.features]
        cure = (
            f"say axis={fitting[0]}"
            if fitting
            else "name the module that the autoencoder was trained on"
        )
        features, axis = self._place.features, self._place.axis
        return (
            f"{self._site}: expected {features} features along axis {axis}, as the autoencoder "
            f"has, got an output of shape {tuple(old.shape)}; {cure}"
        )
