"""Masks: a function of a module's inputs, or a context around the forward."""

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from monitor import oracles
from monitor.helpers import sparse
from regularizers.errors import OutputError, SelectionError, ShapeError

METRICS = [rz.monitor.ActiveUnits(), rz.monitor.Norm(), rz.monitor.DeadUnits()]


class Tokens(nn.Module):
    """Its encoder is told what is padding; its head is not."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = Encoder(), nn.Linear(6, 6).double()

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.encoder(x, mask=mask))


class Encoder(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x + 0.0


def padded(rows: int = 3, steps: int = 5) -> tuple[Tensor, Tensor]:
    mask = torch.arange(steps) < torch.tensor([5, 1, 3][:rows])[:, None]
    return sparse(rows, steps, 6).masked_fill(~mask[..., None], torch.nan), mask


def expected(site: str, x: Tensor) -> dict[str, float]:
    array = x.detach().numpy()
    of = oracles.active_units(array) | oracles.norm(array) | oracles.dead_units(array)
    return {f"{site}/{key}": pytest.approx(value, rel=1e-12) for key, value in of.items()}


def test_a_function_of_the_inputs():
    model = Tokens()
    monitor = rz.Monitor(model, "encoder", METRICS, mask=lambda x, mask: mask, batch_axis=(0, 1))
    x, mask = padded()
    model(x, mask)
    assert monitor.as_dict() == expected("encoder", x[mask])


def test_a_context_is_for_all_that_is_read():
    model = Tokens()
    pairs = {"r": (rz.monitor.input_of("encoder"), "head")}
    monitor = rz.Monitor(model, ["encoder", "head"], METRICS, pairs=pairs, batch_axis=(0, 1))
    x, mask = padded()
    with monitor.mask(mask):
        output = model(x, mask)
    made, target = output[mask].detach().numpy(), x[mask].numpy()
    both = oracles.explained_variance(target, made) | oracles.variance_unexplained(target, made)
    assert monitor.as_dict() == (
        expected("encoder", x[mask])
        | expected("head", output[mask])
        | {f"r/{key}": pytest.approx(value, rel=1e-12) for key, value in both.items()}
    )


def test_a_context_is_left_with_its_mask_also_by_an_exception():
    model = nn.Sequential(nn.Identity())
    monitor = rz.Monitor(model, "0", METRICS)
    x = sparse(4, 6)
    with pytest.raises(ZeroDivisionError), monitor.mask(torch.zeros(4, dtype=torch.bool)):
        1 / 0  # noqa: B018
    model(x)
    assert monitor.as_dict() == expected("0", x)


def test_contexts_for_one_site_each():
    model = Tokens()
    monitor = rz.Monitor(model, ["encoder", "head"], METRICS, batch_axis=(0, 1))
    x, mask = padded()
    other = mask & (torch.arange(5) > 0)
    with monitor.mask(mask, where="encoder"), monitor.mask(other, where="head"):
        output = model(x, mask)
    assert monitor.as_dict() == expected("encoder", x[mask]) | expected("head", output[other])


def test_both_kinds_together_leave_what_both_leave():
    model = Tokens()
    monitor = rz.Monitor(model, "encoder", METRICS, mask=lambda x, mask: mask, batch_axis=(0, 1))
    x, mask = padded()
    rows = torch.tensor([True, False, True])
    with monitor.mask(rows):
        model(x, mask)
    assert monitor.as_dict() == expected("encoder", x[mask & rows[:, None]])


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.ones(4), OutputError, r"^0: mask: expected a boolean tensor"),
        (torch.ones(3, dtype=torch.bool), ShapeError, r"^0: mask: expected the leading axes"),
    ],
)
def test_a_mask_that_does_not_fit_raises(mask, error, message):
    model = nn.Sequential(nn.Identity())
    monitor = rz.Monitor(model, "0", METRICS)
    with monitor.mask(mask), pytest.raises(error, match=message):
        model(sparse(4, 6))


def test_a_context_for_what_is_not_read_raises():
    monitor = rz.Monitor(Tokens(), "encoder", METRICS)
    with (
        pytest.raises(
            SelectionError, match=r"^mask: 'head' matches no module that is read; the .*"
        ),
        monitor.mask(torch.ones(1, dtype=torch.bool), where="head"),
    ):
        pass
