"""Each metric against its definition on activations that are kept, however they were streamed."""

import copy
import pickle

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import regularizers as rz
from monitor.helpers import sparse
from monitor.oracles import OF_ONE, OF_TWO, as_matrix
from regularizers.monitor import PairMetric

# the size of a part is set low, so that small batches are read in parts
from regularizers.monitor.metrics import _samples

of_one = pytest.mark.parametrize(("metric", "oracle"), OF_ONE.values(), ids=OF_ONE)
of_two = pytest.mark.parametrize(("metric", "oracle"), OF_TWO.values(), ids=OF_TWO)
SIZES = [5, 1, 12, 2]


def close(expected: dict[str, float], rel: float = 1e-12) -> object:
    return pytest.approx(expected, rel=rel, abs=rel)


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    """Return a target far from 0, and a reconstruction with an error and a bias."""
    x, noise = sparse(*shape) + 100.0, sparse(*shape, seed=1)
    return x, x + 0.3 * noise + 0.1


@of_one
def test_one_batch(metric, oracle):
    x, metric = sparse(20, 7), metric.fresh()
    metric.update(x)
    assert metric.as_dict() == close(oracle(as_matrix(x)))


@of_one
def test_batches_of_unequal_size(metric, oracle):
    x, metric = sparse(20, 7), metric.fresh()
    for part in x.split(SIZES):
        metric.update(part)
    assert metric.as_dict() == close(oracle(as_matrix(x)))


@of_one
@pytest.mark.parametrize("cut", [0, 1, 13, 20])
def test_merged_parts(metric, oracle, cut):
    x, first, then = sparse(20, 7), metric.fresh(), metric.fresh()
    first.update(x[:cut])
    then.update(x[cut:])
    before = then.as_dict()
    first.merge(then)
    assert first.as_dict() == close(oracle(as_matrix(x)))
    assert then.as_dict() == pytest.approx(before, nan_ok=True)


@of_one
@pytest.mark.parametrize("at_once", [1, 10, 20])
def test_a_large_batch_is_read_in_parts(metric, oracle, at_once, monkeypatch):
    monkeypatch.setattr(_samples, "_AT_ONCE", {True: at_once})
    x, metric = sparse(20, 7), metric.fresh()
    mask = torch.arange(20) < 17
    metric.update(x, mask=mask)
    assert metric.as_dict() == close(oracle(as_matrix(x[mask])))


@of_one
@pytest.mark.parametrize(
    ("shape", "axis", "batch"),
    [
        ((4, 3, 2, 5), 0, (0,)),  # images: units are channels and places
        ((4, 3, 2, 5), (0, 2, 3), (0, 2, 3)),  # units are channels
        ((4, 5, 6), (0, 1), (0, 1)),  # tokens
        ((4, 5, 6), -2, (1,)),
        ((6,), (), ()),
    ],
)
def test_axes(metric, oracle, shape, axis, batch):
    x, metric = sparse(*shape), metric.fresh()
    metric.update(x, batch_axis=axis)
    assert metric.as_dict() == close(oracle(as_matrix(x, batch)))


@of_one
def test_a_mask_of_samples_selects_and_lets_nan_be(metric, oracle):
    x, metric = sparse(4, 5, 6), metric.fresh()
    mask = torch.arange(20).reshape(4, 5) % 3 > 0
    metric.update(x.masked_fill(~mask[..., None], torch.nan), batch_axis=(0, 1), mask=mask)
    assert metric.as_dict() == close(oracle(x[mask].numpy()))


@of_one
def test_a_mask_that_leaves_nothing_counts_nothing(metric, oracle):
    x, metric = sparse(20, 7), metric.fresh()
    metric.update(torch.full((3, 7), torch.nan), mask=torch.zeros(3, dtype=torch.bool))
    metric.update(x)
    assert metric.as_dict() == close(oracle(as_matrix(x)))


@of_one
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_lower_precision_is_that_of_its_input_alone(metric, oracle, dtype):
    x, metric = (200 * sparse(300, 7)).to(dtype), metric.fresh()
    metric.update(x)
    assert metric.as_dict() == close(oracle(as_matrix(x)), rel=1e-6)


@of_one
def test_empty_input_counts_nothing(metric, oracle):
    x, metric = sparse(20, 7), metric.fresh()
    metric.update(torch.zeros(0, 3))
    metric.update(x)
    metric.update(torch.zeros(0, 7))
    assert metric.as_dict() == close(oracle(as_matrix(x)))


@of_two
@pytest.mark.parametrize("sizes", [[20], SIZES], ids=str)
def test_pairs(metric, oracle, sizes):
    (x, made), metric = pair(20, 7), metric.fresh()
    for parts in zip(x.split(sizes), made.split(sizes), strict=True):
        metric.update(*parts)
    assert metric.as_dict() == close(oracle(x.numpy(), made.numpy()))


@of_two
@pytest.mark.parametrize("cut", [0, 1, 13, 20])
def test_merged_pairs(metric, oracle, cut):
    (x, made), first, then = pair(20, 7), metric.fresh(), metric.fresh()
    first.update(x[:cut], made[:cut])
    then.update(x[cut:], made[cut:])
    first.merge(then)
    assert first.as_dict() == close(oracle(x.numpy(), made.numpy()))


@of_two
def test_masked_pairs_of_tokens(metric, oracle):
    (x, made), metric = pair(4, 5, 6), metric.fresh()
    mask = torch.arange(20).reshape(4, 5) % 3 > 0
    hidden = ~mask[..., None]
    metric.update(
        x.masked_fill(hidden, torch.nan),
        made.masked_fill(hidden, torch.inf),
        batch_axis=(0, 1),
        mask=mask,
    )
    assert metric.as_dict() == close(oracle(x[mask].numpy(), made[mask].numpy()))


@of_two
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_pairs_of_lower_precision(metric, oracle, dtype):
    (x, made), metric = pair(300, 7), metric.fresh()
    x, made = (10 * x).to(dtype), (10 * made).to(dtype)
    metric.update(x, made)
    assert metric.as_dict() == close(oracle(as_matrix(x), as_matrix(made)), rel=1e-5)


@of_two
def test_a_large_mean_cancels_no_digits(metric, oracle):
    (x, made), metric = pair(500, 7), metric.fresh()
    x, made = x + 1e6, made + 1e6
    for parts in zip(x.split(100), made.split(100), strict=True):
        metric.update(*parts)
    # the error of E[x²] − E[x]² would be about 1e12 · 1e-16 = 1e-4
    assert metric.as_dict() == close(oracle(x.numpy(), made.numpy()), rel=1e-9)


EVERY = {name: metric for name, (metric, _) in {**OF_ONE, **OF_TWO}.items()}
every_metric = pytest.mark.parametrize("metric", EVERY.values(), ids=EVERY)


def update(metric, x: Tensor) -> None:
    made = torch.where(x > 0.5, x + 0.1 * x.square(), 0.0)
    arrays = (x, made) if isinstance(metric, PairMetric) else (x,)
    metric.update(*arrays)


@every_metric
def test_before_any_sample_and_after_a_reset_it_is_nan(metric):
    metric = metric.fresh()
    before = metric.as_dict()
    assert all(value != value for value in before.values())
    update(metric, sparse(20, 7))
    assert not any(value != value for value in metric.as_dict().values())
    metric.reset()
    assert metric.as_dict().keys() == before.keys()
    assert all(value != value for value in metric.as_dict().values())


@every_metric
def test_numbers_for_a_log_are_floats(metric):
    metric = metric.fresh()
    update(metric, sparse(20, 7))
    assert {type(value) for value in metric.as_dict().values()} == {float}


@every_metric
def test_nothing_is_kept_of_a_graph_or_a_batch(metric):
    x, metric = sparse(20, 7).requires_grad_(), metric.fresh()
    update(metric, x)
    for tensor in metric.sums.values():
        assert not tensor.requires_grad
        assert tensor.numel() <= (7 * 7 if isinstance(metric, rz.monitor.StableRank) else 7)
        assert tensor.dtype in (torch.int64, torch.float64)


@every_metric
@pytest.mark.parametrize(
    "make_copy", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"]
)
def test_a_copy_goes_on_alone(metric, make_copy):
    metric = metric.fresh()
    update(metric, sparse(20, 7))
    before = metric.as_dict()
    twin = make_copy(metric)
    assert twin.as_dict() == before
    update(twin, 5 + sparse(9, 7))
    assert metric.as_dict() == before
    assert twin.as_dict() != before


@every_metric
def test_its_text_is_the_call_that_makes_it(metric):
    assert repr(eval(repr(metric), dict(vars(rz.monitor)))) == repr(metric)


@every_metric
def test_alone_it_is_synced_as_a_copy(metric):
    metric = metric.fresh()
    update(metric, sparse(20, 7))
    synced = metric.synced()
    assert synced is not metric
    assert synced.as_dict() == metric.as_dict()


class NoWaiting(TorchDispatchMode):
    """Raises where a number is read from the device, or a shape depends on values."""

    waits = ("_local_scalar_dense", "nonzero", "masked_select", "item", "equal", "index.Tensor")

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert not any(name in str(func) for name in self.waits), func
        return func(*args, **(kwargs or {}))


@every_metric
@pytest.mark.parametrize("mask", [None, torch.arange(140).reshape(20, 7) % 5 > 0], ids=["", "mask"])
def test_an_update_does_not_wait_for_the_device(metric, mask):
    metric, x = metric.fresh(), sparse(20, 7)
    arrays = (x, 2 * x) if isinstance(metric, PairMetric) else (x,)
    with NoWaiting():
        for _ in range(2):
            metric.update(*arrays, mask=mask)
    with pytest.raises(AssertionError, match="aten"), NoWaiting():
        metric.as_dict()


class AsElsewhere(TorchDispatchMode):
    """Changes nothing; under a mode nothing is read at once, as on a device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


@of_one
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("masked", [False, True])
def test_what_a_device_computes_is_the_same(metric, oracle, dtype, masked, monkeypatch):
    monkeypatch.setattr(_samples, "_AT_ONCE", {True: 21})
    x, metric = sparse(20, 7, dtype=dtype), metric.fresh()
    mask = torch.arange(20) % 4 < 3 if masked else None
    with AsElsewhere():
        for rows in torch.arange(20).split(SIZES):
            metric.update(x[rows], mask=None if mask is None else mask[rows])
    kept = x if mask is None else x[mask]
    assert metric.as_dict() == close(oracle(as_matrix(kept)), rel=1e-6)
    metric.update(x[:0])
    rest = metric.fresh()
    rest.update(x)
    metric.merge(rest)
    assert metric.as_dict() == close(oracle(as_matrix(torch.cat([kept, x]))), rel=1e-6)
