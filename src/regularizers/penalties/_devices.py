"""Arrays that JAX maps over: samples under `vmap`, and devices that share one batch."""

from __future__ import annotations

import sys
from typing import Any

from regularizers.errors import ArrayTypeError, ConfigurationError, RegimeError, ShapeError
from regularizers.penalties._formula import Formula
from regularizers.penalties.arrays import Array, Denominator, Namespace, is_jax


def check_samples(x: Array, term: Formula) -> None:
    """Raise if `jax.vmap` has taken away an axis, and the penalty would guess that of samples.

    Raises:
        ShapeError: it has, and `batch_axis` is not said.
    """
    if term.batch_axis is None and term.reads_samples and _is_mapped(x):
        raise ShapeError(
            f"{term!r}: expected batch_axis= under jax.vmap, which maps over an axis of x and "
            f"leaves the shape {tuple(x.shape)}, whose first axis would count as samples; say "
            f"batch_axis=() if x is one sample, and batch_axis=0 if that axis does number samples"
        )


def _is_mapped(x: Any) -> bool:
    """Return whether `vmap` is around; inside another jit, scan or checkpoint JAX hides it."""
    jax = sys.modules.get("jax")
    while jax is not None and isinstance(x, jax.core.Tracer):
        if type(x).__name__ == "BatchTracer":
            return True
        x = getattr(x, "primal", None)  # what a derivative is taken of
    return False


class Devices:
    """The devices along a named axis of `shard_map`, `pmap` or `vmap`.

    Args:
        axis_name: the name, or several.
        x: the part of an array that one device holds.

    Raises:
        ArrayTypeError: an array of another library.
    """

    def __init__(self, axis_name: Any, x: Array) -> None:
        if not is_jax(x):
            raise ArrayTypeError(
                f"axis_name: expected an array of JAX, whose axes have names, got "
                f"{type(x).__name__}; for processes of PyTorch see "
                f"Regularization(..., process_group=)"
            )
        self._axis_name = axis_name
        self._jax = sys.modules["jax"]

    def joined(
        self, term: Formula, statistic: Array, denominator: Denominator, xp: Namespace
    ) -> tuple[Array, Denominator]:
        """Return the statistic and the denominator of the whole batch.

        Raises:
            RegimeError: parts of a batch do not say what the penalty of the whole is.
            ConfigurationError: there is no axis of this name.
        """
        if not term.joins or term.for_weights_only:
            raise RegimeError(
                f"{term!r}: axis_name: expected a penalty whose statistics add up over devices, "
                f"got one of a whole array; gather it first: "
                f"jax.lax.all_gather(x, {self._axis_name!r}, tiled=True)"
            )
        wide = _Widest(xp, self._jax.config.jax_enable_x64)
        total = self._sum(term.to_sum(statistic, wide))
        whole = xp.astype(term.from_sum(total, wide), statistic.dtype)
        return whole, None if denominator is None else self._sum(denominator)

    def _sum(self, part: Array) -> Array:
        try:
            return self._jax.lax.psum(part, self._axis_name)
        except NameError:
            raise ConfigurationError(
                f"axis_name: expected an axis of a shard_map, pmap or vmap around this call, got "
                f"{self._axis_name!r}"
            ) from None


class _Widest:
    """A namespace whose float64 is float32 where JAX has no other."""

    def __init__(self, xp: Namespace, has_float64: bool) -> None:
        self._xp = xp
        self.float64 = xp.float64 if has_float64 else xp.float32

    def __getattr__(self, name: str) -> Any:
        return getattr(self._xp, name)
