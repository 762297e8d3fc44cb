"""The optimizers of timm: exact within the step; for proximal rules refused by their full names."""

import importlib
import importlib.util
import sys
import types

import pytest
import torch

from integrations.stepping import assert_exact, attached, network, task
from regularizers.errors import RegimeError

FOUND = importlib.util.find_spec("timm")
if FOUND is None:
    pytest.skip("timm is not installed", allow_module_level=True)


def optimizers_of_timm():
    """Return the module, loaded without timm's models, which ask for torchvision."""
    package = types.ModuleType("timm")
    package.__path__ = list(FOUND.submodule_search_locations)
    models = types.ModuleType("timm.models")
    models.group_parameters = None  # by layers, which nothing here asks for
    misc = types.ModuleType("torchvision.ops.misc")
    misc.FrozenBatchNorm2d = torch.nn.BatchNorm2d
    outer = {name: types.ModuleType(name) for name in ("torchvision", "torchvision.ops")}
    stubs = {"timm": package, "timm.models": models, **outer, misc.__name__: misc}
    sys.modules.update(stubs)
    try:
        return importlib.import_module("timm.optim")
    finally:
        for name in stubs:
            del sys.modules[name]


create_optimizer_v2 = optimizers_of_timm().create_optimizer_v2

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
