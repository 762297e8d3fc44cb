"""The modules whose outputs are read, and which axis of an output counts units."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from regularizers._keys import Keys, key_of
from regularizers.errors import ConfigurationError, ShapeError
from regularizers.modules import MODULES_WITH_KNOWN_AXES, Select, Wheres, select_modules

_BY_DIMENSIONS: dict[int, tuple[type[nn.Module], ...]] = {
    1: (
        *(nn.Conv1d, nn.ConvTranspose1d, nn.InstanceNorm1d),
        *(nn.MaxPool1d, nn.AvgPool1d, nn.AdaptiveMaxPool1d, nn.AdaptiveAvgPool1d),
    ),
    2: (
        *(nn.Conv2d, nn.ConvTranspose2d, nn.InstanceNorm2d),
        *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d),
    ),
    3: (
        *(nn.Conv3d, nn.ConvTranspose3d, nn.InstanceNorm3d),
        *(nn.MaxPool3d, nn.AvgPool3d, nn.AdaptiveMaxPool3d, nn.AdaptiveAvgPool3d),
    ),
}
_SECOND = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm, nn.GroupNorm)
_LAST = (nn.Linear, nn.Embedding, nn.LayerNorm, nn.RMSNorm, *MODULES_WITH_KNOWN_AXES)


@dataclass(frozen=True)
class Site:
    """A module whose output is read."""

    name: str
    module: nn.Module
    select: Select | None
    channel_axis: int | None

    def channel_axis_of(self, x: Tensor) -> int:
        """Return the axis of units of `x`, not negative.

        Raises:
            ShapeError: `x` has no such axis.
            ConfigurationError: the axis is not stated, and neither the type of the module nor the
                number of axes tells it.
        """
        axis = self.channel_axis if self.channel_axis is not None else self._known_axis(x)
        if not -x.ndim <= axis < x.ndim:
            raise ShapeError(
                f"{self.name}: channel_axis: expected an axis of the output, whose shape is "
                f"{tuple(x.shape)}, got {axis}"
            )
        return axis % x.ndim

    def _known_axis(self, x: Tensor) -> int:
        for dimensions, types in _BY_DIMENSIONS.items():
            if isinstance(self.module, types):
                return -1 - dimensions
        if isinstance(self.module, _SECOND):
            return 1
        if x.ndim > 3 and not isinstance(self.module, _LAST):
            raise ConfigurationError(
                f"{self.name}: an output of shape {tuple(x.shape)} of a "
                f"{type(self.module).__name__} may have its units on axis 1, like a convolution, "
                f"or on the last; say which: activations(..., channel_axis=1)"
            )
        return -1


def sites_of(
    model: nn.Module, where: Wheres, select: Select | None, channel_axis: int | None
) -> list[Site]:
    """Return the sites that `where` matches in `model`.

    Raises:
        SelectionError: an alternative of `where` matches nothing.
        ConfigurationError: the axis is no integer.
    """
    if channel_axis is not None and type(channel_axis) is not int:
        raise ConfigurationError(
            f"channel_axis: expected an integer, the axis of the output that counts units, or "
            f"None, got {channel_axis!r}"
        )
    keys = Keys()
    return [
        Site(keys.add(key_of(name)), module, select, channel_axis)
        for name, module in select_modules(model, where, "activations")
    ]
