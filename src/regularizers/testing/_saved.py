"""What backward needs saved."""

from __future__ import annotations

import numpy as np

from regularizers.penalties.arrays import namespace_of
from regularizers.testing._case import Case, near

_FEW, _MANY = 1, 700
"""So many arrays one after the other: small outputs of modules are read otherwise than others."""


def check_saves(case: Case) -> None:
    """Raise unless `pullback` needs no more of the array than `saves` says."""
    term, x, frame = case.term, case.array, case.frame()
    xp = namespace_of(x)
    if term.saves == "input":
        return
    statistic, saved = term.statistic(x, frame)
    cotangent = term.derivative(statistic, term.denominator(frame), xp)
    kept = xp.sign(x) if term.saves == "sign" else xp.full_like(x, float("nan"))
    got = case.library.numbers(term.pullback(kept, saved, cotangent, frame))
    expected = case.library.numbers(term.pullback(x, saved, cotangent, frame))
    if not near(got, expected):
        needs = "the signs of x alone" if term.saves == "sign" else "nothing of x"
        worst = int(np.argmax(np.abs(np.nan_to_num(got, nan=np.inf) - expected)))
        raise case.fault(
            f"saves={term.saves!r} says that the gradient needs {needs}; at an element "
            f"{case.x.flat[worst]:.4g} that gives {got.flat[worst]:.6g}, and x itself "
            f"{expected.flat[worst]:.6g}; leave saves out"
        )


def check_site(case: Case) -> None:
    """Raise unless the gradient at the output of a module is that of the array."""
    import torch

    from regularizers.attach import Regularization, activity

    if any(term.for_weights_only for term in case.penalty.terms):
        return
    whole = any(0 in term.joint_axes(case.x.ndim) for term in case.penalty.terms)
    for copies in (_FEW,) if whole else (_FEW, _MANY):
        x = case.library.array(np.concatenate([case.x] * copies)).requires_grad_()
        site = torch.nn.Identity()
        if any(term.for_gates_only for term in case.penalty.terms):
            site.pseudo_gradient_window = torch.ones_like  # type: ignore[assignment]
        model = torch.nn.Sequential(site)
        rule = activity(case.penalty, where="0")
        terms = rule.terms
        reg = Regularization(model, [rule])
        model(x)
        penalty = reg.penalty()
        penalty.backward()  # type: ignore[no-untyped-call]
        reg.detach()
        expected, value = np.zeros(x.shape), 0.0
        for term in terms:
            at = Case(term, case.library, case.library.numbers(x))  # type: ignore[arg-type]
            expected, value = expected + at.gradient(), value + at.value()
        got = float(penalty.detach())
        if not near(got, value):
            raise case.fault(
                f"at the output of a module the value is {got:.6g}, and of the array {value:.6g}"
            )
        if not near(case.library.numbers(x.grad), expected):
            raise case.fault(
                "at the output of a module the gradient differs from that of the array; what "
                "does `saves` leave out?"
            )
