"""Ways to train that need a guard of their own: each exact, or an error that names the cure."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from attach.helpers import assert_same_loss_and_gradients, batch, mlp, records
from regularizers.errors import CollectionError, RegimeError

L1 = [rz.activity(rz.L1(1.0), where="1")]


def test_a_reentrant_checkpoint_of_the_whole_model_raises_in_its_backward():
    model = mlp()
    reg = rz.Regularization(model, L1)
    x = batch().requires_grad_()
    output = checkpoint(model, x, use_reentrant=True)
    with pytest.raises(RegimeError, match=r'^1: a reentrant checkpoint .*delivery="inject"'):
        output.sum().backward()
    reg.detach()


def test_a_reentrant_checkpoint_of_the_whole_model_raises_at_the_collection():
    model = mlp()
    reg = rz.Regularization(model, L1)
    checkpoint(model, batch().requires_grad_(), use_reentrant=True)
    with pytest.raises(RegimeError, match=r'^1: a reentrant checkpoint .*delivery="inject"'):
        reg.penalty()


def test_a_reentrant_checkpoint_within_the_model_raises_in_its_forward():
    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = mlp()

        def forward(self, x: Tensor) -> Tensor:
            return checkpoint(self.inner, x, use_reentrant=True)

    model = Around()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="inner.1")])
    with pytest.raises(RegimeError, match=r'^inner\.1: a reentrant .*delivery="inject"'):
        model(batch().requires_grad_())
    reg.detach()


@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_a_detach_within_the_forward_takes_effect_at_once(delivery):
    model, twin, x = mlp(), mlp(), batch()
    model[1].register_forward_hook(lambda *_: reg.detach())
    reg = rz.Regularization(model, L1, delivery=delivery)
    model(x).sum().backward()
    twin(x).sum().backward()
    for actual, expected in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(actual.grad, expected.grad)
    if delivery == "collect":
        assert records(reg) == 0


def test_a_replica_of_data_parallel_raises():
    # what nn.DataParallel calls for each device, of which there may be none here
    model = mlp()
    reg = rz.Regularization(model, L1)
    replica = model[1]._replicate_for_data_parallel()
    with pytest.raises(RegimeError, match=r"^1: nn\.DataParallel .*DistributedDataParallel"):
        replica(batch())
    reg.detach()


def test_a_module_that_was_replaced_is_missed():
    model = mlp()
    reg = rz.Regularization(model, L1)
    model[1] = nn.ReLU()
    model(batch())
    with pytest.raises(CollectionError, match=r"^1 was replaced .*attach a new one"):
        reg.penalty()


def test_a_change_in_place_of_what_a_hook_gives_back_later():
    """The hook keeps the tensor without its version and gives back a copy made in the backward."""
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True)).double()
    x = batch()

    def late_copy(tensor: Tensor) -> Tensor:
        return tensor.clone()

    reg = rz.Regularization(model, [rz.activity(rz.L2Squared(0.5), where="0")])
    with saved_tensors_hooks(lambda tensor: tensor.data, late_copy):
        loss = model(x).sum() + reg.penalty()
    site = x @ model[0].weight.T + model[0].bias
    assert (site < 0).any()
    assert_same_loss_and_gradients(model, loss, site.relu().sum() + 0.5 * site.square().sum() / 6)
