"""The base of control laws: from the measurement of a step to the strength of the next."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, TypeAlias

from regularizers.penalties.arrays import Array, call_of

Scalar: TypeAlias = Array
"""A 0-dimensional array of float64. A law is given tensors, and may return plain numbers."""

State: TypeAlias = Mapping[str, Scalar]
"""The numbers that a law keeps between steps, by name."""

QUIET = 1e-20
"""The least strength of a target. It has no effect, and its gradient can still be measured."""


class Law(ABC):
    r"""How a target finds its strength: `TargetActive(10, law=MyLaw())`.

    A law is settings and two pure functions: the state it begins with, and

    .. math:: (\text{state}, \lambda) \leftarrow
        \text{update}(\text{state}, \text{measured}, \text{wanted}, \text{scale})

    after each step of the optimizer. The Regularization keeps the state, saves it in
    `state_dict()` as plain numbers, and restores it. Before the first step the strength is 1e-20,
    the least possible strength, at which the gradient of the penalty can still be measured.

    Write a law as a frozen dataclass, so that its `repr` states its settings: a saved state is
    loaded only into the same law.

    Example:
        >>> import dataclasses
        >>> import regularizers as rz
        >>> @dataclasses.dataclass(frozen=True)
        ... class Integral(rz.Law):
        ...     gain: float = 0.1
        ...
        ...     def init(self, initial):
        ...         return {"log": initial.log()}
        ...
        ...     def update(self, state, measured, wanted, scale):
        ...         log = state["log"] + self.gain * (measured / wanted - 1)
        ...         return {"log": log}, log.exp()
        >>> rz.L1(rz.TargetActive(10, law=Integral(0.2)))
        L1(TargetActive(10.0, law=Integral(gain=0.2)))
    """

    elementwise: ClassVar[bool] = False
    """Whether `init` and `update` compute each element alone, so several targets can be updated at
    once: they are then given arrays of one dimension in place of 0."""

    @abstractmethod
    def init(self, initial: Scalar) -> State:
        """Return the state before the first step.

        Args:
            initial: the target's `initial`, a strength.

        Returns:
            Tensors of 0 dimensions or plain numbers, by name. `update` returns the same names.
        """

    @abstractmethod
    def update(
        self, state: State, measured: Scalar, wanted: Scalar, scale: Scalar
    ) -> tuple[State, Scalar]:
        """Return the state after a step, and the strength of the next.

        Do not read the value of a tensor here, as by `float`: it would wait for the device. After
        a step without a finite measurement the result is not used, and nothing changes.

        Args:
            state: the state that `init` or the last `update` returned. An entry that `init`
                returned as a tensor is always a tensor of float64; any other is a float.
            measured: the measurement of this step, finite; like all arguments a tensor of float64
                and 0 dimensions.
            wanted: the target of this step, above 0.
            scale: the strength at which the gradients of penalty and loss have the same norm at
                the output of the site. It is measured at each of the first steps, and at every
                tenth from then on; between two measurements it is the last. NaN before the first,
                and not finite after a step whose gradients were not.

        Returns:
            The new state, and a strength that is finite and not negative.
        """

    def at_most(self, state: State) -> Scalar:
        """Return whether no larger strength can help; False by default.

        The Regularization warns if it stays True while the target comes no nearer.

        Args:
            state: the state that the last `update` returned.
        """
        return False

    def at_least(self, state: State) -> Scalar:
        """Return whether the strength has practically no effect; False by default. As `at_most`.

        Args:
            state: the state that the last `update` returned.
        """
        return False

    def __repr__(self) -> str:
        is_dataclass: bool = dataclasses.is_dataclass(self)
        if is_dataclass:
            return call_of(self)
        settings = [f"{name}={value!r}" for name, value in vars(self).items()]
        return f"{type(self).__name__}({', '.join(settings)})"
