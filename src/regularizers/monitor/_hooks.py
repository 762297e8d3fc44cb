"""The hooks of one monitor; they read tensors and change nothing."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from regularizers.errors import RegimeError
from regularizers.modules import (
    Activation,
    Hook,
    Mask,
    eager_only,
    is_tracing,
    mask_of,
    masked,
    may_hold_a_part_of_the_units,
    never_compiled,
    totals_of,
)
from regularizers.monitor import _compiled_ops as _program
from regularizers.monitor._observer import MonitorObserver
from regularizers.monitor._sources import Source
from regularizers.penalties.arrays import Axes

NO_KEYWORDS: Mapping[str, Any] = MappingProxyType({})


class MonitorTap(Hook):
    """The forward hook that reads the input or the output of one module."""

    def __init__(
        self,
        number: int,
        source: Source,
        site: str,
        observer: MonitorObserver,
        model: nn.Module,
        batch_axis: Axes | None,
        mask: Mask | None,
    ) -> None:
        self._number = number
        self._source = source
        self._site = site
        self._observer = observer
        self._model = weakref.ref(model)
        self._batch_axis = batch_axis
        self._mask = mask
        self._checked = False

    def attach(self, module: nn.Module) -> RemovableHandle:
        """Register the hook; with keyword arguments only if they are needed."""
        if self._mask is None and self._source.kind == "output":
            return module.register_forward_hook(self)
        return module.register_forward_hook(MonitorKeywordHook(self), with_kwargs=True)

    @never_compiled
    def __call__(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: Mapping[str, Any] = NO_KEYWORDS,
    ) -> None:
        """Read `output`, or the inputs."""
        if self._observer.closed or torch.compiler.is_exporting():
            return
        if torch.compiler.is_compiling():
            found = self._source.read(module, inputs, keywords, output, self._site)
            read = self._prepared(found, inputs, keywords)
            _program.read(self._observer.order, read, self._observer.handle, self._number)
        elif not is_tracing():
            self._read(module, inputs, output, keywords)

    @eager_only
    def _read(
        self,
        module: nn.Module,
        inputs: tuple[Any, ...],
        output: Any,
        keywords: Mapping[str, Any],
    ) -> None:
        if not self._checked:
            self._check(module)
        if self._observer.wants(self._number):
            found = self._source.read(module, inputs, keywords, output, self._site)
            read = self._prepared(found, inputs, keywords)
            # of the tensor itself, which the hook of a Regularization may have read
            totals = totals_of(found.x) if read.mask is None else None
            self._observer.take(self._number, read, totals)

    def _prepared(
        self, activation: Activation, inputs: tuple[Any, ...], keywords: Mapping[str, Any]
    ) -> Activation:
        """Return the activation detached, with the axes and the mask that were stated."""
        axes = activation.sample_axes(self._batch_axis)
        activation = Activation(activation.x.detach(), axes, activation.mask)
        if self._mask is None:
            return activation
        mask = mask_of(self._mask, inputs, dict(keywords), self._site)
        return masked(activation, mask, self._site)

    def _check(self, module: nn.Module) -> None:
        if getattr(module, "_is_replica", False):
            raise RegimeError(
                f"{self._site}: nn.DataParallel runs copies of the model, whose readings arrive in "
                f"no order; use torch.nn.parallel.DistributedDataParallel"
            )
        model = self._model()
        is_output = self._source.kind == "output"
        if is_output and model is not None and may_hold_a_part_of_the_units(module, model):
            raise RegimeError(
                f"{self._site}: under tensor parallelism this output may hold a part of the units; "
                f"monitor a module sharded by rows, whose output is whole"
            )
        self._checked = True


class MonitorKeywordHook(Hook):
    """The hook of a tap that also reads the keyword arguments of its module."""

    def __init__(self, tap: MonitorTap) -> None:
        self._tap = tap

    @never_compiled
    def __call__(
        self, module: nn.Module, inputs: tuple[Any, ...], keywords: dict[str, Any], output: Any
    ) -> None:
        """Read `output`, or the inputs."""
        self._tap(module, inputs, output, keywords)


class MonitorForwardStart(Hook):
    """Pre-hook of the model: begins a forward."""

    def __init__(self, observer: MonitorObserver) -> None:
        self._observer = observer

    @never_compiled
    def __call__(self, model: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Decide whether the forward is read."""
        if torch.compiler.is_exporting():
            return
        if torch.compiler.is_compiling():
            _program.begin(self._observer.order, self._observer.handle)
        elif not is_tracing():
            self._observer.begin()


class MonitorForwardEnd(Hook):
    """Hook of the model that runs even if the forward raised."""

    def __init__(self, observer: MonitorObserver) -> None:
        self._observer = observer

    @never_compiled
    def __call__(self, model: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        """End the forward, and clear pairs that are incomplete."""
        if torch.compiler.is_exporting():
            return
        if torch.compiler.is_compiling():
            _program.end(self._observer.order, self._observer.handle)
        elif not is_tracing():
            self._observer.end()
