"""Rules of constraints: weights that are projected after every step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from regularizers.attach.rules._rule import AnyRule
from regularizers.constraints import Constraint
from regularizers.errors import ConfigurationError
from regularizers.modules import Wheres, as_list, described
from regularizers.penalties import Penalty


@dataclass(frozen=True)
class ConstraintRule(AnyRule):
    """A constraint and the weights it applies to; made by `constraint`.

    Args:
        kind: the role of the weights, `"kernel"` or `"bias"`.
        constraint: what each of them is kept to.
        where: which weights, as in `kernel`.

    Raises:
        ConfigurationError: there is no constraint or no `where`.

    Example:
        >>> import regularizers as rz
        >>> rule = rz.constraint(rz.MaxNorm(2.0, axis="output"), where="head")
        >>> print(rule)
        constraint(MaxNorm(2.0, 'output'), where='head')
        >>> rule.constraint
        MaxNorm(2.0, 'output')
    """

    kind: Literal["kernel", "bias"]
    constraint: Constraint
    where: Wheres

    def __post_init__(self) -> None:
        if not isinstance(self.constraint, Constraint):
            raise ConfigurationError(
                f"{self._name}: expected a constraint such as MaxNorm(1.0, axis='output'), got "
                f"{self.constraint!r}{self._cure(self.constraint)}"
            )
        as_list(self.where)

    @property
    def _name(self) -> str:
        return "constraint" if self.kind == "kernel" else "bias_constraint"

    def _cure(self, given: object) -> str:
        if isinstance(given, Penalty):
            return f", a penalty, which has a rule of its own: {self.kind}({given!r})"
        return f" of type {type(given).__name__}"

    def __str__(self) -> str:
        return f"{self._name}({self.constraint!r}, where={described(self.where)})"


def constraint(constraint: Constraint, where: Wheres = "**") -> ConstraintRule:
    """Keep kernels in a set, by projecting them after each step of the optimizer.

    The steps are those of the optimizers that `Regularization.attach` is given. It projects the
    kernels once at that moment, and then after every step, after a proximal step too. The gradient
    that an optimizer sees has lost its radial part under `UnitNorm`, that of other rules included,
    so that Adam's moments do not grow by what the projection takes back.

    Several constraints of one kernel are applied in the order of the rules. The last one holds;
    whether the earlier ones still do depends on the sets.

    Trainable kernels are kept, tied ones once. Of a pruned kernel the mask times the parameter is
    projected, and what is pruned stays as it is. A kernel that is computed from other parameters
    cannot be kept, and raises at `attach`.

    Args:
        constraint: what each kernel is kept to. An axis "output" or "input" is that of its module.
        where: which kernels, as in `kernel`. Every kernel by default. A parameter of another role,
            such as a threshold, is selected by its full name: `where="coding.gate.threshold"`.

    Returns:
        A rule for `Regularization`. For biases see `regularize(module, bias_constraint=...)`.

    Raises:
        ConfigurationError: there is no constraint or no `where`. Without `attach` the first
            collection raises it too.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> decoder = torch.nn.Linear(3, 5)
        >>> reg = rz.Regularization(decoder, [rz.constraint(rz.UnitNorm(axis="input"))])
        >>> reg.attach(torch.optim.Adam(decoder.parameters()))
        >>> torch.allclose(decoder.weight.norm(dim=0), torch.ones(3))
        True
    """
    return ConstraintRule("kernel", constraint, where)
