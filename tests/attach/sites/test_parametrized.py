"""Weights that are computed: one site, their value, and reading them moves nothing."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import regularizers as rz
from attach.helpers import (
    assert_same_loss_and_gradients,
    batch,
    kernels,
    mlp,
    sites,
    squares,
    total,
)


def test_weight_norm_is_one_site_with_the_gradient_of_its_parts():
    model = mlp()
    parametrizations.weight_norm(model[0])
    reg = kernels(model, rz.L1(0.5), where="0")
    assert sites(reg) == ["0.weight"]
    x = batch()
    loss = model(x).square().mean() + reg.penalty()

    parts = model[0].parametrizations.weight
    direction = parts.original1 / parts.original1.square().sum(dim=1, keepdim=True).sqrt()
    weight = parts.original0 * direction
    hidden = torch.tanh(x @ weight.T + model[0].bias)
    task = (hidden @ model[2].weight.T + model[2].bias).square().mean()
    assert_same_loss_and_gradients(model, loss, task + 0.5 * weight.abs().sum())


def test_squares_of_a_normed_weight_are_those_of_its_magnitudes():
    model = parametrizations.weight_norm(nn.Linear(4, 3))
    magnitudes = model.parametrizations.weight.original0
    assert total(kernels(model)) == pytest.approx(squares(magnitudes))


def away_from_convergence(model: nn.Module) -> dict[str, torch.Tensor]:
    """Set the power iteration of `spectral_norm` back; return its buffers."""
    for buffer in model.buffers():
        buffer.copy_(nn.functional.normalize(torch.arange(1.0, 1.0 + len(buffer)), dim=0))
    return {name: buffer.clone() for name, buffer in model.named_buffers()}


def test_spectral_norm_is_one_site_and_reading_it_moves_no_buffer():
    torch.manual_seed(0)
    model = parametrizations.spectral_norm(nn.Linear(4, 3))
    reg = kernels(model)
    assert sites(reg) == ["weight"]
    before = away_from_convergence(model)
    norm = model.parametrizations.weight[0]
    original = model.parametrizations.weight.original
    sigma = norm._u @ original @ norm._v
    assert total(reg) == pytest.approx(squares(original / sigma))
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before[name])
    assert all(module.training for module in model.modules())


class Plain(nn.Module):
    """A module of no known kind, whose kernel must be assumed by its shape."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3))


def test_attaching_moves_no_buffer_of_a_module_whose_role_is_assumed():
    torch.manual_seed(0)
    model = parametrizations.spectral_norm(Plain())
    before = away_from_convergence(model)
    assert sites(kernels(model)) == ["weight"]
    for name, buffer in model.named_buffers():
        assert torch.equal(buffer, before[name])


class Noise(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight + torch.randn_like(weight) if self.training else weight


def test_reading_a_noisy_weight_draws_no_noise_and_leaves_its_modes():
    model = nn.Linear(3, 2)
    parametrize.register_parametrization(model, "weight", Noise())
    reg = kernels(model)
    state = torch.get_rng_state()
    original = model.parametrizations.weight.original
    assert total(reg) == pytest.approx(squares(original))
    assert torch.equal(torch.get_rng_state(), state)
    assert model.parametrizations.weight[0].training


def test_a_parametrized_weight_is_frozen_with_its_parts():
    model = parametrizations.weight_norm(nn.Linear(4, 3))
    reg = kernels(model)
    magnitudes, directions = model.parametrizations.weight.parameters()
    directions.requires_grad_(False)
    assert total(reg) == pytest.approx(squares(magnitudes))
    magnitudes.requires_grad_(False)
    assert total(reg) == 0


def test_a_parametrized_recurrent_weight():
    model = nn.LSTM(2, 3)
    parametrizations.weight_norm(model, "weight_hh_l0")
    reg = kernels(model)
    assert sorted(sites(reg)) == ["weight_hh_l0", "weight_ih_l0"]
    magnitudes = model.parametrizations.weight_hh_l0.original0
    assert total(reg) == pytest.approx(squares(magnitudes, model.weight_ih_l0))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_kernel_that_a_hook_computes_does_no_harm_where_it_is_not_meant():
    model = nn.Sequential(nn.utils.weight_norm(nn.Linear(4, 3)), nn.Linear(3, 2))
    assert sites(kernels(model, where="1")) == ["1.weight"]
    assert sites(rz.Regularization(model, [rz.bias(rz.L1(1.0))])) == ["0.bias", "1.bias"]


def test_a_parameter_that_only_ends_like_an_old_style_part_is_a_kernel():
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w_g = nn.Parameter(torch.ones(2, 2))

    assert total(kernels(Gated())) == 4
