"""Rules: a penalty, and the sites it is for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from regularizers.attach._names import Wheres, described
from regularizers.attach._select import as_list
from regularizers.errors import ConfigurationError
from regularizers.penalties._base import Penalty
from regularizers.penalties._elementary import Elementary
from regularizers.penalties._frame import Axes, Reduce, check_batch_axis, check_reduce

Kind: TypeAlias = Literal["activity", "kernel", "bias"]
Select: TypeAlias = int | str | Callable[[Any], Any]


@dataclass(frozen=True)
class Rule:
    """A penalty and the sites it is for; made by `activity`, `kernel` and `bias`."""

    kind: Kind
    penalty: Penalty
    where: Wheres
    select: Select | None = None
    reduce: Reduce | None = None
    batch_axis: Axes | None = None
    copy: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.penalty, Penalty):
            raise ConfigurationError(
                f"{self.kind}: expected a penalty such as L1(1e-3), got {self.penalty!r} "
                f"of type {type(self.penalty).__name__}"
            )
        as_list(self.where)
        check_reduce(self.reduce)
        check_batch_axis(self.batch_axis)
        self.terms  # noqa: B018 -- contradictions are said here, where the rule is written

    @property
    def terms(self) -> tuple[Elementary, ...]:
        """The elementary penalties, each with its reduction settled for the kind of site."""
        default: Reduce = "batch_mean" if self.kind == "activity" else "sum"
        return tuple(
            [
                dataclasses.replace(
                    term,
                    reduce=self._settled("reduce", term.reduce, self.reduce) or default,
                    batch_axis=self._settled("batch_axis", term.batch_axis, self.batch_axis),
                )
                for term in self.penalty.terms
            ]
        )

    def _settled(self, name: str, of_penalty: Any, of_rule: Any) -> Any:
        if of_rule is None or of_penalty in (None, of_rule):
            return of_penalty if of_rule is None else of_rule
        raise ConfigurationError(
            f"{self.kind}: the rule says {name}={of_rule!r} and its penalty says "
            f"{name}={of_penalty!r}; say it once"
        )

    def __str__(self) -> str:
        return f"{self.kind}({self.penalty!r}, where={described(self.where)})"


def activity(
    penalty: Penalty,
    where: Wheres,
    *,
    select: Select | None = None,
    reduce: Reduce | None = None,
    batch_axis: Axes | None = None,
    copy: bool = False,
) -> Rule:
    r"""Penalise what modules put out, in training mode, with gradients enabled.

    Args:
        penalty: the penalty of each output. Its default reduction is `"batch_mean"`: summed over
            units, averaged over the batch.
        where: which modules: a name (`"encoder.act"`), a glob (`"encoder.*"`; `*` stays within one
            segment of a name, `**` crosses), a module type, a module, a predicate
            (module, name), or a list of these.
        select: which part of an output that is no tensor: an index, a key or attribute, or a
            function of the output. Recurrent layers need none: their sequence of states is meant.
        reduce: as in the penalty; say it in one place only.
        batch_axis: as in the penalty. None: the axis of samples is 0, and of recurrent layers
            the one they were made with.
        copy: keep a copy of the output where the gradient needs more than its signs, so that it
            may be changed in place after the module. Without it such a change raises.

    Returns:
        A rule for `Regularization`.

    Raises:
        ConfigurationError: no penalty, no `where`, or two reductions that contradict.

    Example:
        >>> import regularizers as rz
        >>> rz.activity(rz.L1(1e-3), where="encoder.act").where
        'encoder.act'
    """
    return Rule("activity", penalty, where, select, reduce, batch_axis, copy)


def kernel(
    penalty: Penalty,
    where: Wheres = "**",
    *,
    reduce: Reduce | None = None,
    batch_axis: Axes | None = None,
) -> Rule:
    """Penalise kernels: the weights that multiply, known by the role of the module they are in.

    The weight of a normalization layer is no kernel; a recurrent layer's `weight_hh_l0` and an
    attention's `in_proj_weight` are. Trainable kernels count, tied ones once, in evaluation too.

    Args:
        penalty: the penalty of each kernel. Its default reduction is `"sum"`.
        where: as in `activity`; here the name of a module means everything in it, and the name
            of a parameter means that one. Every kernel by default.
        reduce: as in the penalty; say it in one place only.
        batch_axis: as in the penalty.

    Returns:
        A rule for `Regularization`.

    Raises:
        ConfigurationError: no penalty, no `where`, or two reductions that contradict.

    Example:
        >>> import regularizers as rz
        >>> rz.kernel(rz.L2Squared(1e-4)).where
        '**'
    """
    return Rule("kernel", penalty, where, None, reduce, batch_axis)


def bias(
    penalty: Penalty,
    where: Wheres = "**",
    *,
    reduce: Reduce | None = None,
    batch_axis: Axes | None = None,
) -> Rule:
    """Penalise biases: what is added after the kernels; a normalization layer's shift is none.

    Args:
        penalty: the penalty of each bias. Its default reduction is `"sum"`.
        where: as in `kernel`. Every bias by default.
        reduce: as in the penalty; say it in one place only.
        batch_axis: as in the penalty.

    Returns:
        A rule for `Regularization`.

    Raises:
        ConfigurationError: no penalty, no `where`, or two reductions that contradict.

    Example:
        >>> import regularizers as rz
        >>> rz.bias(rz.L1(1e-4), where="head").kind
        'bias'
    """
    return Rule("bias", penalty, where, None, reduce, batch_axis)
