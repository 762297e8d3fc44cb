"""Probabilities by depth, against NumPy's linspace and the formula of ShakeDrop's authors."""

import numpy as np
import pytest
import torch

from regularizers import functional
from regularizers.errors import ConfigurationError


@pytest.mark.parametrize("depth", [1, 2, 3, 12, 110])
@pytest.mark.parametrize("p", [0, 0.1, 0.3, 0.7])
def test_rates_of_drop_path_are_linear_from_zero(p, depth):
    rates = functional.drop_path_rates(p, depth)
    assert [type(rate) for rate in rates] == [float] * depth
    np.testing.assert_allclose(rates, np.linspace(0, p, depth), rtol=1e-15)
    # timm: [x.item() for x in torch.linspace(0, drop_path_rate, depth)]
    np.testing.assert_allclose(rates, torch.linspace(0, p, depth).tolist(), rtol=1e-6)
    assert rates[0] == 0
    assert depth == 1 or rates[-1] == p


@pytest.mark.parametrize("depth", [1, 2, 3, 12, 110])
@pytest.mark.parametrize("p", [0.3, 0.5, 1])
def test_probabilities_of_shake_drop_fall_linearly(p, depth):
    probabilities = functional.shake_drop_probabilities(p, depth)
    assert [type(one) for one in probabilities] == [float] * depth
    expected = 1 - np.arange(1, depth + 1) / depth * (1 - p)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-15)
    assert probabilities[-1] == p
    assert depth == 1 or p == 1 or p < probabilities[0] < 1


@pytest.mark.parametrize("depth", [0, -1, 2.0, True, None], ids=repr)
def test_a_depth_that_cannot_be(depth):
    match = r"^depth: expected an integer of 1 or more, the number of residual blocks, got "
    with pytest.raises(ConfigurationError, match=match):
        functional.drop_path_rates(0.1, depth)
    with pytest.raises(ConfigurationError, match=match):
        functional.shake_drop_probabilities(0.5, depth)


def test_probabilities_that_cannot_be():
    with pytest.raises(
        ConfigurationError, match=r"^p: expected a number in \[0, 1\), the fraction"
    ):
        functional.drop_path_rates(1.0, 3)
    with pytest.raises(ConfigurationError, match=r"^p: expected a number in \(0, 1\], the proba"):
        functional.shake_drop_probabilities(0.0, 3)
