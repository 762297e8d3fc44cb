"""The registries are complete, their formulas right, and the judge sees what is wrong."""

import pytest
import torch

from matrix.judge import judge
from matrix.methods import HOOKS
from matrix.network import batch, build, explicit, task
from matrix.penalties import (
    CASES,
    OF_GATES,
    OF_KERNELS,
    OF_SIX_UNITS,
    Case,
    public_classes,
)
from matrix.regimes import REGIMES
from penalties.oracle import plain

ELSEWHERE = OF_GATES + OF_KERNELS + OF_SIX_UNITS

every_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def test_every_public_penalty_is_in_the_matrix():
    missing = public_classes() - {type(c.penalty) for c in CASES + ELSEWHERE}
    assert not missing, f"add to tests/matrix/penalties.py: {missing}"


@pytest.mark.parametrize("case", CASES + ELSEWHERE, ids=lambda case: case.name)
def test_formulas_agree_with_the_oracle_of_the_penalties(case: Case):
    x = torch.randn(
        5,
        6 if case in OF_SIX_UNITS else 7,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(0),
    )
    torch.testing.assert_close(case.formula(x), plain(case.penalty, x))


@every_case
@pytest.mark.parametrize("site", ["linear", "view", "identity", "sigmoid"])
def test_the_penalty_is_a_good_part_of_the_gradient(case: Case, site: str):
    _, twin = build(site=site)
    output, seen = explicit(twin, batch(0))
    weight = twin.embed.weight
    (of_task,) = torch.autograd.grad(task(output), weight, retain_graph=True)
    (of_penalty,) = torch.autograd.grad(sum([case.formula(y) for y in seen]), weight)
    assert of_penalty.norm() > 0.2 * of_task.norm()


def test_names_of_regimes_are_not_used_twice():
    names = [regime.name for regime in REGIMES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("eager", "exact"),
        ("reentrant checkpoint", "wrong"),
        ("no_grad between forward and loss", "wrong loss"),
        ("pickle after a forward", "raises"),
        ("torch.export in training mode", "leave a trace"),
    ],
)
def test_the_judge_tells_outcomes_apart(name: str, kind: str):
    """It is shown the hand-written hook, for which these are known."""
    chosen = next(one for one in REGIMES if one.name == name)
    assert judge(chosen, HOOKS[0], CASES[0]).kind == kind
