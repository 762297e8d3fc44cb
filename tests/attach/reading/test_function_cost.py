"""What the Function accumulates in, what it saves, and what an in-place change afterwards does."""

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import assert_same_loss_and_gradients

# one read of an array, without a model
from regularizers.attach.reading._plan import penalise
from regularizers.errors import RegimeError
from regularizers.penalties.kernels import thresholds


def saved_by(penalty: rz.Penalty, x: Tensor, mask: Tensor | None = None) -> list[Tensor]:
    """Return every tensor that the graph of the penalty of `x` keeps for the backward pass."""
    saved: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        penalise(x, penalty, 0, mask)
    return saved


def activation(dtype: torch.dtype = torch.float32) -> Tensor:
    x = torch.rand(64, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    return x.requires_grad_()


@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_l1_saves_one_byte_an_element(reduce):
    large = [t for t in saved_by(rz.L1(1.0, reduce=reduce), activation()) if t.numel() >= 320]
    assert [(t.dtype, tuple(t.shape)) for t in large] == [(torch.int8, (64, 5))]


@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_kl_saves_nothing_of_the_size_of_the_activation(reduce):
    saved = saved_by(rz.KLSparsity(1.0, 0.1, reduce=reduce), activation())
    assert max([t.numel() for t in saved]) <= 5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("penalty", [rz.L2Squared(1.0), rz.L2Norm(1.0, reduce="batch_mean")])
def test_squares_save_the_activation_itself_and_no_copy_of_it(penalty, dtype):
    x = activation(dtype)
    total = penalise(x, penalty, 0)  # with PyTorch 2.10 what is saved goes with the output
    node = total.grad_fn
    while not hasattr(node, "saved_tensors"):
        node = node.next_functions[0][0]
    large = [t for t in node.saved_tensors if t is not None and t.numel() >= 320]
    assert [t.data_ptr() for t in large] == [x.data_ptr()]


def test_a_mask_is_saved_as_it_came():
    mask = torch.arange(64) % 2 == 0
    saved = saved_by(rz.L1(1.0, reduce="mean"), activation(), mask)
    assert sorted([(t.numel(), t.dtype) for t in saved if t.numel() > 1], key=str) == [
        (320, torch.int8),
        (64, torch.bool),
    ]


HALVES = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])


@HALVES
@pytest.mark.parametrize(
    ("penalty", "value", "slope"),
    [
        # squares of 300 are 90,000 each, beyond float16's 65,504
        (rz.L1(1.0), 300.0 * 4096, 1.0),
        (rz.L2Squared(1.0), 90_000.0 * 4096, 600.0),
        (rz.L2Norm(1.0), 300.0 * 64, 1 / 64),
        (rz.L2Squared(1.0, reduce="mean"), 90_000.0, 600 / 4096),
        (rz.L2Norm(1.0, reduce="batch_mean"), 300.0 * 8, 1 / 8 / 64),
    ],
)
def test_half_precision_is_accumulated_in_float32(dtype, penalty, value, slope):
    x = torch.full((64, 64), 300.0, dtype=dtype, requires_grad=True)
    result = penalise(x, penalty, 0)
    assert result.dtype == torch.float32
    assert result.item() == pytest.approx(value, rel=1e-6)
    (gradient,) = torch.autograd.grad(result, x)
    assert gradient.dtype == dtype
    torch.testing.assert_close(gradient, torch.full_like(gradient, slope))


@HALVES
def test_kl_of_half_precision_counts_every_sample(dtype):
    # added one by one in bfloat16, ones stop counting at 256
    x = torch.full((1024, 1), 0.5, dtype=dtype, requires_grad=True)
    result = penalise(x, rz.KLSparsity(1.0, 0.1), 0)
    by_hand = 0.1 * torch.log(torch.tensor(0.2)) + 0.9 * torch.log(torch.tensor(1.8))
    assert result.dtype == torch.float32
    torch.testing.assert_close(result, by_hand)


@HALVES
def test_small_squares_do_not_vanish(dtype):
    x = torch.full((10,), 2.0**-14, dtype=dtype)
    assert penalise(x, rz.L2Squared(1.0), 0).item() == 10 * 2.0**-28


def test_float64_stays_float64():
    x = torch.tensor([1.0, 1e-12], dtype=torch.float64)
    assert penalise(x, rz.L1(1.0), 0).item() == 1.0 + 1e-12


def l1_by_hand(x: Tensor) -> Tensor:
    return x.abs().sum(dim=1).mean()


def kl_by_hand(x: Tensor) -> Tensor:
    mean = x.mean(dim=0)
    return (0.1 * (0.1 / mean).log() + 0.9 * (0.9 / (1 - mean)).log()).sum()


@pytest.mark.parametrize(
    ("penalty", "by_hand"), [(rz.L1(0.5), l1_by_hand), (rz.KLSparsity(0.5, 0.1), kl_by_hand)]
)
def test_an_in_place_change_after_the_site_leaves_the_gradient_right(penalty, by_hand):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True)).double()
    nn.init.constant_(model[0].bias, 0.5)
    x = 2 * torch.randn(32, 4, dtype=torch.float64)
    reg = rz.Regularization(model, [rz.activity(penalty, where="0")])
    loss = model(x).square().sum() + reg.penalty()

    site = x @ model[0].weight.T + model[0].bias
    assert (site < 0).any()
    assert ((site.mean(dim=0) > 0) & (site.mean(dim=0) < 1)).all()
    expected = site.relu().square().sum() + 0.5 * by_hand(site)
    assert_same_loss_and_gradients(model, loss, expected)


@pytest.mark.parametrize("penalty", [rz.L2Squared(0.5), rz.L2Norm(0.5)])
def test_an_in_place_change_of_what_was_saved_raises_before_a_wrong_gradient(penalty, monkeypatch):
    monkeypatch.setattr(thresholds, "COPIED", 0)
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True))
    reg = rz.Regularization(model, [rz.activity(penalty, where="0")])
    loss = model(torch.randn(6, 4)).sum() + reg.penalty()
    with pytest.raises(RegimeError, match=r"^0: the output was changed in place .*copy=True"):
        loss.backward()


class Pair(nn.Module):
    """Returns its input, which may then be changed in place, and something else."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x * 1.0, x.sum()


def test_a_copy_of_a_selected_output_may_be_changed_afterwards():
    model = nn.Sequential(Pair())
    rule = rz.activity(rz.L2Squared(0.5, reduce="sum"), where="0", select=0, copy=True)
    reg = rz.Regularization(model, [rule])
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    output, _ = model(x)
    output.mul_(0)
    reg.penalty().backward()
    torch.testing.assert_close(x.grad, x.detach())


class Keeping(nn.Module):
    """Keeps its output, through which it may be changed afterwards."""

    def forward(self, x: Tensor) -> Tensor:
        self.kept = x * 1.0
        return self.kept


@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_a_copy_of_an_output_that_its_module_keeps(delivery):
    model = Keeping()
    rule = rz.activity(rz.L2Squared(0.5, reduce="sum"), where="", copy=True)
    reg = rz.Regularization(model, [rule], delivery=delivery)
    x = torch.randn(40, 500, dtype=torch.float64, requires_grad=True)
    output = model(x)
    task = output.sum()
    model.kept.mul_(0)
    (task + reg.penalty() if delivery == "collect" else reg.scale_from(task)).backward()
    torch.testing.assert_close(x.grad, 1 + x.detach())
