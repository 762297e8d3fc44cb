"""BatchTopK over two processes keeps what one would keep of all samples."""

import pytest
import torch
import torch.distributed as dist

import regularizers as rz
from regularizers.errors import RegimeError
from two_processes import assert_both_pass, run

DTYPES = [torch.float32, torch.float64, torch.bfloat16]


def draw(rows, dtype, seed):
    z = torch.randn(rows, 40, generator=torch.Generator().manual_seed(seed))
    return z.to(dtype)


def own_part(x, first):
    return x[:first] if dist.get_rank() == 0 else x[first:]


def check_the_largest_of_all_samples() -> None:
    for dtype in DTYPES:
        for seed, (first, k) in enumerate([(3, 2), (0, 3.3), (20, 0.5), (7, 40)]):
            z, g = draw(20, dtype, seed), draw(20, dtype, 9)
            alone = rz.layers.BatchTopK(k, 0.5, "local")
            mine = rz.layers.BatchTopK(k, 0.5, "world" if seed % 2 else dist.group.WORLD)
            part = own_part(z, first).requires_grad_()
            y, expected = mine(part), alone(z)
            count = (expected != 0).sum()
            total = (y != 0).sum()
            dist.all_reduce(total)
            assert total == count
            assert torch.equal(mine.threshold, alone.threshold)
            (gradient,) = torch.autograd.grad(y, part, own_part(g, first))
            assert torch.equal(gradient, own_part(g, first) * (y != 0))
            if dtype != torch.bfloat16:  # where nothing ties
                assert torch.equal(y, own_part(expected, first))


def check_ties_and_negatives() -> None:
    z = torch.ones(6, 40)
    y = rz.layers.BatchTopK(5, process_group="world")(own_part(z, 2))
    total = (y != 0).sum()
    dist.all_reduce(total)
    assert total == 30
    assert (y != 0).sum() == (30 if dist.get_rank() == 0 else 0)
    layer = rz.layers.BatchTopK(5, process_group="world")
    assert not layer(own_part(-z, 2)).any()
    assert layer.threshold.isnan()
    few = own_part(torch.eye(6, 40), 2)
    assert torch.equal(layer(few), few)
    nothing = rz.layers.BatchTopK(0.01, process_group="world")(own_part(z, 2))
    assert not nothing.any()
    lost = own_part(z, 2).clone()
    lost[0, 0] = -torch.tensor(float("nan"))
    assert rz.layers.BatchTopK(1, process_group="world")(lost)[0, 0].isnan()


def check_unstated_groups_are_asked_for() -> None:
    layer = rz.layers.BatchTopK(2)
    with pytest.raises(RegimeError, match=r"say BatchTopK\(k, process_group='world'\)"):
        layer(torch.ones(3, 4))
    layer.threshold.fill_(0.5)
    assert layer.eval()(torch.ones(3, 4)).all()


CHECKS = [
    check_the_largest_of_all_samples,
    check_ties_and_negatives,
    check_unstated_groups_are_asked_for,
]


def test_every_check_holds_in_both_processes():
    assert_both_pass(__file__, CHECKS)


if __name__ == "__main__":
    run(CHECKS)
