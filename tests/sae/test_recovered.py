"""Cross-entropy recovered, against the four losses computed by hand."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from regularizers.errors import ArrayTypeError, ConfigurationError, SelectionError, ShapeError
from regularizers.sae.evaluation import cross_entropy_recovered
from sae.known import autoencoder, random_autoencoder


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, 4))


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(2)
    return [
        (
            torch.randn(n, 3, generator=generator) + 1,
            torch.randint(4, (n,), generator=generator),
        )
        for n in (8, 8, 3)
    ]


def each(model, batch):
    return cross_entropy(model(batch[0]), batch[1], reduction="none")


def mean(model, batch):
    return cross_entropy(model(batch[0]), batch[1])


def by_hand(model, sae) -> list[float]:
    x, y = (torch.cat(parts) for parts in zip(*batches(), strict=True))
    with torch.no_grad():
        h = model[:2](x)
        outputs = [h, sae(h), h.mean(0).expand_as(h), torch.zeros_like(h)]
        return [cross_entropy(model[3](o).double(), y).item() for o in outputs]


@pytest.mark.parametrize("loss", [each, mean])
def test_losses_and_shares(loss):
    model, sae = network(), random_autoencoder(6, 20)
    plain, made, average, zero = by_hand(model, sae)
    found = cross_entropy_recovered(model, "1", sae, batches(), loss)
    assert found.loss == pytest.approx(plain, rel=1e-6)
    assert found.reconstructed == pytest.approx(made, rel=1e-6)
    assert found.mean_ablated == pytest.approx(average, rel=1e-6)
    assert found.zero_ablated == pytest.approx(zero, rel=1e-6)
    shares = [(average - made) / (average - plain), (zero - made) / (zero - plain)]
    assert [found.recovered_from_mean, found.recovered_from_zero] == pytest.approx(shares, rel=1e-4)
    assert "recovered_from_mean" in str(found)


def test_an_exact_autoencoder_recovers_all_and_a_constant_one_nothing():
    model = network()
    rows = torch.cat([torch.eye(6), -torch.eye(6)])
    exact = cross_entropy_recovered(model, "1", autoencoder(rows, rows), batches(), each)
    assert exact.recovered_from_mean == pytest.approx(1, abs=1e-5)
    nothing = autoencoder(rows, rows, bias=-100.0)
    assert cross_entropy_recovered(
        model, "1", nothing, batches(), each
    ).recovered_from_zero == pytest.approx(0, abs=1e-6)


def test_the_mean_is_of_what_a_mask_leaves_in():
    model, sae = network(), random_autoencoder(6, 20)
    x = torch.cat([torch.randn(2, 3, 3), torch.full((2, 2, 3), 50.0)], dim=1)
    valid = torch.tensor([True, True, True, False, False]).expand(2, 5)
    y = torch.zeros(2, 5, dtype=torch.int64)

    def loss(model, batch):
        return cross_entropy(model(batch).flatten(0, 1), y.flatten(), reduction="none")[
            valid.flatten()
        ]

    found = cross_entropy_recovered(model, "1", sae, [x], loss, mask=lambda _: valid)
    h = model[:2](x)[valid]
    expected = cross_entropy(model[3](h.mean(0)), y[0, 0]).item()
    assert found.mean_ablated == pytest.approx(expected, rel=1e-5)


def test_a_site_without_effect_recovers_no_number():
    model, sae = network(), random_autoencoder(6, 20)
    with torch.no_grad():
        model[3].weight.zero_()
    assert math.isnan(cross_entropy_recovered(model, "1", sae, batches(), each).recovered_from_zero)


def test_all_is_as_before_after_an_error():
    model, sae = network(), random_autoencoder(6, 20)
    model[0].eval()
    modes = [m.training for m in [*model.modules(), *sae.modules()]]

    def broken(model, batch):
        model(batch[0])
        assert not model.training
        assert not torch.is_grad_enabled()
        raise KeyError("loss")

    with pytest.raises(KeyError):
        cross_entropy_recovered(model, "1", sae, batches(), broken)
    assert [m.training for m in [*model.modules(), *sae.modules()]] == modes
    assert not any(m._forward_hooks for m in model.modules())


class Fickle(list):
    """One batch fewer each time."""

    def __iter__(self):
        full = list(super().__iter__())
        if self:
            self.pop()
        return iter(full)


@pytest.mark.parametrize(
    ("data", "loss", "error", "message"),
    [
        (iter(batches()), each, ConfigurationError, "gone through twice.*list"),
        (3, each, ConfigurationError, "gone through twice.* got int"),
        ([], each, ShapeError, "expected batches, got none"),
        (batches(), lambda m, b: mean(m, b).item(), ArrayTypeError, "^loss: .* got float"),
        (Fickle(batches()), each, ConfigurationError, "same samples each time, .* 19 and .* 16"),
        (batches(), lambda m, b: torch.zeros(()), SelectionError, "^1: this module did not run"),
    ],
)
def test_what_is_refused(data, loss, error, message):
    with pytest.raises(error, match=message):
        cross_entropy_recovered(network(), "1", random_autoencoder(6, 20), data, loss)
