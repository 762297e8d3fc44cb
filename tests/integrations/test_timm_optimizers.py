"""The optimizers of timm: exact within the step; for proximal rules refused by their full names."""

import pytest

from integrations.stepping import assert_exact, attached, network, task
from regularizers.errors import RegimeError

try:
    from timm.optim import create_optimizer_v2
except (ImportError, RuntimeError) as error:  # torchvision and PyTorch of different builds
    pytest.skip(f"timm cannot be imported: {error}", allow_module_level=True)

EXACT = [
    *("adan", "adopt", "cadamw", "lamb", "laprop", "larc", "lars", "lion", "madgrad", "mars"),
    *("muon", "nadamw", "novograd", "radabelief", "rmsproptf", "sgdp", "lookahead_sgd"),
]


def made(name: str):
    return lambda parameters: create_optimizer_v2(parameters, opt=name, lr=0.05, weight_decay=0.0)


@pytest.mark.parametrize("way", ["plain", "closure"])
@pytest.mark.parametrize("name", EXACT)
def test_ten_steps_equal_those_with_the_penalty_in_the_loss(name, way):
    assert_exact(made(name), way)


@pytest.mark.parametrize("name", ["lamb", "lion", "madgrad", "sgdw"])
def test_proximal_rules(name):
    model = network()
    optimizer = made(name)(list(model.parameters()))
    with pytest.raises(RegimeError, match=r"got timm\.optim\.\w+\.\w+; use one of these"):
        attached(model, optimizer, proximal=True)


@pytest.mark.filterwarnings("ignore:Using backward.* with create_graph=True")
def test_an_optimizer_of_the_hessian():
    model = network()
    optimizer = made("adahessian")(list(model.parameters()))
    attached(model, optimizer)
    task(model, 0).backward(create_graph=True)
    with pytest.raises(RegimeError, match=r"timm\.optim\.adahessian\.Adahessian may differentiate"):
        optimizer.step()
