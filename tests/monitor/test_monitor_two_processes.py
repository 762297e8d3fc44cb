"""Two processes say what one would say of all samples."""

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import regularizers as rz
from monitor.helpers import Autoencoder, batches, sparse
from monitor.oracles import OF_ONE, OF_TWO
from regularizers.errors import ArrayTypeError, ConfigurationError, RegimeError, ShapeError
from two_processes import assert_both_pass, run

PAIRS = {"r": (rz.monitor.input_of("encoder"), "decoder")}


def own_part(x: torch.Tensor) -> torch.Tensor:
    """Return three samples in the first process, and the others in the second."""
    return x[:3] if dist.get_rank() == 0 else x[3:]


def check_every_metric() -> None:
    x = sparse(20, 7)
    for metric, oracle in OF_ONE.values():
        if repr(metric).startswith("DeadUnits(after=5"):
            continue  # which samples are the last of two streams is another definition
        mine = metric.fresh()
        for part in own_part(x).split(4):
            mine.update(part)
        before = mine.as_dict()
        for _ in range(2):  # a second time counts nothing twice
            assert mine.synced().as_dict() == pytest.approx(oracle(x.numpy()), rel=1e-12)
        assert mine.as_dict() == before
    x = x + 1.0  # no sample of a pair is without a direction
    made = x + 0.3 * sparse(20, 7, seed=1) + 0.1
    for metric, oracle in OF_TWO.values():
        mine = metric.fresh()
        for parts in zip(own_part(x).split(4), own_part(made).split(4), strict=True):
            mine.update(*parts)
        expected = oracle(x.numpy(), made.numpy())
        assert mine.synced().as_dict() == pytest.approx(expected, rel=1e-12)


def check_a_process_that_has_seen_nothing() -> None:
    mine = rz.monitor.DensityHistogram()
    if dist.get_rank() == 1:
        mine.update(sparse(20, 7))
    assert mine.synced().densities().tolist() == (sparse(20, 7) != 0).double().mean(dim=0).tolist()


def check_a_monitor_under_distributed_data_parallel() -> None:
    model, alone = Autoencoder(), Autoencoder()
    monitor = rz.Monitor(model, ["encoder", "act"], pairs=PAIRS)
    parallel = DistributedDataParallel(model)
    whole = rz.Monitor(alone, ["encoder", "act"], pairs=PAIRS)
    for x in batches((8, 8)):
        parallel(own_part(x)).square().sum().backward()
        alone(x)
    mine = monitor.as_dict()
    joined = monitor.synced()
    assert joined.as_dict() == pytest.approx(whole.as_dict(), rel=1e-12)
    assert [row.samples for row in joined.report().rows] == [16, 16, 16]
    assert monitor.as_dict() == mine != joined.as_dict()
    everyone = [None, None]
    dist.all_gather_object(everyone, joined.as_dict())
    assert everyone[0] == everyone[1]


def check_a_group_of_one() -> None:
    groups = [dist.new_group([rank]) for rank in range(2)]
    mine = rz.monitor.Norm()
    mine.update(own_part(sparse(20, 7)))
    assert mine.synced(groups[dist.get_rank()]).as_dict() == mine.as_dict()


def check_what_cannot_be_joined_raises_in_both() -> None:
    rank = dist.get_rank()
    with pytest.raises(ConfigurationError, match="merge: expected another ActiveUnits"):
        rz.monitor.ActiveUnits(0.5 * rank).synced()
    widths = rz.monitor.DeadUnits()
    widths.update(sparse(4, 5 + rank))
    with pytest.raises(ShapeError, match="DeadUnits: expected 5 units, as before, got 6"):
        widths.synced()
    monitor = rz.Monitor(Autoencoder(), ["encoder", "act"][rank])
    with pytest.raises(ConfigurationError, match="merge: expected a monitor of the same sites"):
        monitor.synced()


def check_parts_of_the_units_are_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4))
    parallelize_module(model, init_device_mesh("cpu", (2,)), {"0": ColwiseParallel()})
    for site in ("0", "1"):
        monitor = rz.Monitor(model, site)
        with pytest.raises(RegimeError, match=f"^{site}: under tensor parallelism this output may"):
            model(torch.ones(2, 4))
        monitor.detach()


def check_distributed_tensors_are_refused() -> None:
    x = DTensor.from_local(torch.ones(2, 4), init_device_mesh("cpu", (2,)), [Replicate()])
    with pytest.raises(
        ArrayTypeError, match=r"^Norm: expected a plain tensor, got a DTensor, of w"
    ):
        rz.monitor.Norm().update(x)


CHECKS = [
    check_every_metric,
    check_a_process_that_has_seen_nothing,
    check_a_monitor_under_distributed_data_parallel,
    check_a_group_of_one,
    check_what_cannot_be_joined_raises_in_both,
    check_parts_of_the_units_are_refused,
    check_distributed_tensors_are_refused,
]


def test_every_check_holds_in_both_processes():
    assert_both_pass(__file__, CHECKS)


if __name__ == "__main__":
    run(CHECKS)
