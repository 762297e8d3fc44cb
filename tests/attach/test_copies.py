"""Copies of models and of regularizations: they work, and know nothing of the original."""

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import batch, hook_dicts, mlp, records
from regularizers.errors import CollectionError

RULES = [rz.activity(rz.L1(1.0), where="1"), rz.kernel(rz.L2Squared(0.5))]


def by_torch_save(model: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "torch.save": by_torch_save,
}
every_copy = pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)


def penalty_by_hand(model: nn.Sequential, x: Tensor) -> Tensor:
    hidden = torch.tanh(x @ model[0].weight.T + model[0].bias)
    kernels = model[0].weight.square().sum() + model[2].weight.square().sum()
    return hidden.abs().sum() / len(x) + 0.5 * kernels


def output_by_hand(model: nn.Sequential, x: Tensor) -> Tensor:
    return torch.tanh(x @ model[0].weight.T + model[0].bias) @ model[2].weight.T + model[2].bias


@every_copy
@pytest.mark.parametrize("moment", ["fresh", "after forward", "after backward"])
def test_a_copy_works_and_records_nothing_into_the_original(make_copy, moment):
    model, x = mlp(), batch()
    reg = rz.Regularization(model, RULES)
    if moment == "after backward":
        model(x)
        reg.penalty().backward()
    if moment == "after forward":
        model(x)
    twin = make_copy(model)
    before = records(reg)
    torch.testing.assert_close(twin(batch(9)), output_by_hand(model, batch(9)))
    assert records(reg) == before
    with torch.no_grad():
        twin[0].weight.zero_()
    if moment != "after forward":
        model(x)
    torch.testing.assert_close(reg.penalty(), penalty_by_hand(model, x))


@every_copy
def test_a_copy_has_the_state_of_the_original(make_copy):
    model = mlp()
    keys = list(model.state_dict())
    rz.Regularization(model, RULES)
    assert list(model.state_dict()) == keys
    twin = make_copy(model)
    assert list(twin.state_dict()) == keys
    for key in keys:
        assert torch.equal(twin.state_dict()[key], model.state_dict()[key])


@every_copy
def test_a_new_regularization_can_be_attached_to_a_copy(make_copy):
    model, x = mlp(), batch()
    original = rz.Regularization(model, RULES)
    model(x)
    twin = make_copy(model)
    with torch.no_grad():
        twin[0].weight.mul_(2)
    reg = rz.Regularization(twin, RULES)
    twin(x)
    torch.testing.assert_close(reg.penalty(), penalty_by_hand(twin, x))
    torch.testing.assert_close(original.penalty(), penalty_by_hand(model, x))
    reg.detach()
    assert not any(hook_dicts(twin))


@every_copy
def test_a_copy_of_a_copy_works(make_copy):
    model, x = mlp(), batch()
    rz.Regularization(model, RULES)
    twin = make_copy(make_copy(model))
    reg = rz.Regularization(twin, RULES)
    twin(x)
    torch.testing.assert_close(reg.penalty(), penalty_by_hand(twin, x))


@every_copy
def test_a_copied_forward_that_raises_raises_the_same(make_copy):
    model = mlp()
    rz.Regularization(model, RULES)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        make_copy(model)(torch.ones(2, 3, dtype=torch.float64))


REGULARIZATION_COPIES = COPIES | {"copy": copy.copy}
every_regularization_copy = pytest.mark.parametrize(
    "make_copy", REGULARIZATION_COPIES.values(), ids=REGULARIZATION_COPIES
)


@every_regularization_copy
@pytest.mark.parametrize("use", ["penalty", "penalties", "report"])
def test_a_copied_regularization_says_that_it_is_a_copy(make_copy, use):
    model, x = mlp(), batch()
    reg = rz.Regularization(model, RULES)
    model(x)
    with pytest.raises(CollectionError, match=r"is a copy.*attach a new one: Regularization\("):
        getattr(make_copy(reg), use)()
    torch.testing.assert_close(reg.penalty(), penalty_by_hand(model, x))


@every_regularization_copy
def test_a_copied_regularization_can_be_printed_and_detached(make_copy):
    model, x = mlp(), batch()
    reg = rz.Regularization(model, RULES)
    twin = make_copy(reg)
    assert "Regularization" in repr(twin)
    twin.detach()
    model(x)
    torch.testing.assert_close(reg.penalty(), penalty_by_hand(model, x))


@every_copy
def test_a_model_that_holds_its_regularization_can_be_copied(make_copy):
    model, x = mlp(), batch()
    model.reg = rz.Regularization(model, RULES)
    model(x)
    twin = make_copy(model)
    torch.testing.assert_close(model.reg.penalty(), penalty_by_hand(model, x))
    twin.reg = rz.Regularization(twin, RULES)
    twin(x)
    torch.testing.assert_close(twin.reg.penalty(), penalty_by_hand(twin, x))


def test_moving_the_model_to_another_type_keeps_the_hooks():
    model = mlp()
    reg = rz.Regularization(model, RULES)
    model.float()
    x = batch().float()
    model(x)
    torch.testing.assert_close(reg.penalty(), penalty_by_hand(model, x))


def test_a_copy_keeps_no_flag_of_a_hook_that_was_told_keywords():
    # a later hook that is given the same number would be called with one argument too many
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="1", mask=lambda x: x[:, 0] > 0)])
    copied = copy.deepcopy(model)
    again = rz.Regularization(copied, [rz.kernel(rz.L1(1.0))])
    again.detach()
    assert [list(hooks) for hooks in hook_dicts(copied) if hooks] == []
    reg.detach()
