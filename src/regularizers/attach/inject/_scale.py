"""The scale of the loss: the factor of penalty gradients that enter by the data path."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from threading import Lock, get_ident

import torch
from torch import Tensor

from regularizers.attach.reading import never_fired_message
from regularizers.errors import RegimeError
from regularizers.modules import Handles

_scales: Handles[Scale] = Handles()


def find_scale(handle: int) -> Scale:
    """Return the scale of a handle, which the graph stores.

    Raises:
        RegimeError: its Regularization was deleted.
    """
    scale = _scales.find(handle)
    if scale is None:
        raise RegimeError(
            "the Regularization of this graph was deleted before its backward pass; keep it as "
            "long as its model is trained"
        )
    return scale


class Scale:
    """The gradient that reached the loss in the running backward pass, or a fixed number.

    The gradient is known only while a backward pass through `scale_from` is running. It is cleared
    at the end, so that a later pass cannot use it by mistake.
    """

    def __init__(self) -> None:
        self.handle = _scales.add(self)
        self.closed = False
        self._silent: set[str] = set()
        self._current: Tensor | None = None
        self.loss: object = None
        """What stands for the loss that the running backward pass began with; None: unknown."""
        self._armed_at = (-1, 0)
        """The id of the backward pass, and the thread."""
        self._end_of: weakref.ref[Callable[[], None]] | None = None
        self._fixed: Tensor | None = None
        self._arming = Lock()

    def fix(self, scale: float | None) -> None:
        """Use `scale` where no loss goes through `scale_from`; None: no scale."""
        self._fixed = None if scale is None else torch.tensor(scale, dtype=torch.float64)

    def expect(self, site: str) -> None:
        """Add a site that must fire before the end of a backward pass."""
        self._silent.add(site)

    @property
    def silent(self) -> frozenset[str]:
        """The sites that must fire and have not."""
        return frozenset(self._silent)

    def seen(self, site: str) -> None:
        """Record that the forward has reached `site`."""
        self._silent.discard(site)

    def arm(self, gradient: Tensor, loss: object = None) -> None:
        """Use `gradient` as the scale until the running backward pass ends.

        Args:
            gradient: what reached the loss.
            loss: any object that stands for it, the same in each of its backward passes.

        Raises:
            RegimeError: another backward pass is running, or this one already has another scale.
        """
        with self._arming:  # a concurrent pass must see the scale of the first
            self._arm(gradient, torch._C._current_graph_task_id(), get_ident())
            self.loss = loss

    def _arm(self, gradient: Tensor, task: int, thread: int) -> None:
        self.disarm()
        if self._current is None:
            end = functools.partial(self._end)
            torch.autograd.Variable._execution_engine.queue_callback(end)
            self._armed_at, self._end_of = (task, thread), weakref.ref(end)
        elif self._armed_at[0] != task and self._armed_at[1] != thread:
            # inside one thread, a backward pass may contain another
            raise RegimeError(
                "two backward passes, of two threads, go through scale_from at once, and their "
                "scales cannot be told apart; give each thread a model with a Regularization of "
                "its own, or hold one lock from the forward until backward() has returned"
            )
        elif not torch.equal(self._current, gradient):
            raise RegimeError(
                "scale_from was called on two losses of one backward pass, whose scales are not "
                "the same; call it once, on their sum, and not in two threads at once"
            )
        self._current = gradient.detach().clone()

    def disarm(self) -> None:
        """Clear the scale of a backward pass that raised, so its callback at the end never ran."""
        if self._end_of is not None and self._end_of() is None:
            self._current, self._end_of, self.loss = None, None, None

    def read(self, site: str, gradient: Tensor) -> Tensor:
        """Return the scale for `site`, on the device of `gradient`, in float32 or wider.

        Raises:
            RegimeError: no scale is known in this backward pass.
        """
        self._silent.discard(site)
        self.disarm()
        scale = self._fixed if self._current is None else self._current
        if scale is None:
            raise RegimeError(
                f"{site}: the scale of the loss is not known in this backward pass; wrap the loss, "
                f"loss = reg.scale_from(loss), or say it with reg.set_scale(); if its training has "
                f"ended, reg.detach()"
            )
        dtype = torch.promote_types(gradient.dtype, torch.float32)
        return scale.to(gradient.device, dtype, copy=True)

    def _end(self) -> None:
        self.loss = None
        self._current, self._end_of = None, None
        if self._silent:
            site = min(self._silent)
            self._silent.discard(site)
            raise RegimeError(never_fired_message(site))
