"""delivery="inject": by what the penalties are scaled, and what is said where that is not known."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.backends.debugging import aot_eager

import regularizers as rz
from attach.helpers import batch, mlp, per_sample
from regularizers.errors import CollectionError, RegimeError

RULES = [rz.activity(rz.L1(0.5), where="1"), rz.kernel(rz.L2Squared(0.25), where="0")]
ACTIVITY = RULES[:1]


def task(output: Tensor) -> Tensor:
    return output.square().sum()


def penalty_by_hand(model: nn.Sequential, x: Tensor, *, kernels: bool = True) -> Tensor:
    activity = 0.5 * per_sample(torch.tanh(x @ model[0].weight.T + model[0].bias))
    return activity + 0.25 * model[0].weight.square().sum() * kernels


def injected(rules: list[rz.Rule]) -> tuple[nn.Sequential, nn.Sequential, rz.Regularization]:
    """Return a model, its twin without penalties, and the regularization of the first."""
    model = mlp()
    twin = copy.deepcopy(model)
    return model, twin, rz.Regularization(model, rules, delivery="inject")


def assert_same_gradients(model: nn.Module, twin: nn.Module) -> None:
    for actual, expected in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(actual.grad, expected.grad)


def test_the_loss_is_the_same_number():
    model, twin, reg = injected(RULES)
    loss = reg.scale_from(task(model(batch())))
    assert loss.item() == pytest.approx(task(twin(batch())).item(), rel=1e-12)


def test_a_loss_without_scale_raises():
    model, _, _ = injected(ACTIVITY)
    with pytest.raises(RegimeError, match=r"^1: the scale of the loss is not known .*scale_from"):
        task(model(batch())).backward()


def test_the_scale_of_an_earlier_backward_is_not_used():
    model, _, reg = injected(ACTIVITY)
    reg.scale_from(task(model(batch()))).backward()
    with pytest.raises(RegimeError, match=r"^1: the scale of the loss is not known"):
        task(model(batch())).backward()


def test_a_backward_that_raised_leaves_no_scale():
    model, twin, reg = injected(RULES)

    def refuse(_: Tensor) -> None:
        raise ValueError("refused")

    x = batch().requires_grad_()
    x.register_hook(refuse)
    with pytest.raises(ValueError, match="refused"):
        (4 * reg.scale_from(task(model(x)))).backward()
    model.zero_grad()

    reg.scale_from(task(model(batch()))).backward()
    (task(twin(batch())) + penalty_by_hand(twin, batch())).backward()
    assert_same_gradients(model, twin)


def test_a_scale_that_was_set_holds():
    model, twin, reg = injected(ACTIVITY)
    reg.set_scale(3.0)
    for step in range(2):
        (3 * task(model(batch(seed=step)))).backward()
        by_hand = penalty_by_hand(twin, batch(seed=step), kernels=False)
        (3 * (task(twin(batch(seed=step))) + by_hand)).backward()
    assert_same_gradients(model, twin)


def test_the_scale_of_a_loss_goes_before_one_that_was_set():
    model, twin, reg = injected(ACTIVITY)
    reg.set_scale(3.0)
    (5 * reg.scale_from(task(model(batch())))).backward()
    (5 * (task(twin(batch())) + penalty_by_hand(twin, batch(), kernels=False))).backward()
    assert_same_gradients(model, twin)


def test_two_losses_of_different_scales_in_one_backward_raise():
    model, _, reg = injected(ACTIVITY)
    one, two = reg.scale_from(task(model(batch()))), reg.scale_from(task(model(batch())))
    with pytest.raises(RegimeError, match=r"two losses of one backward.*call it once, on their"):
        (one + 2 * two).backward()


def test_two_losses_of_one_scale_in_one_backward_are_right():
    model, twin, reg = injected(ACTIVITY)
    losses = [reg.scale_from(task(model(batch(seed=seed)))) for seed in range(2)]
    (3 * sum(losses)).backward()
    for seed in range(2):
        by_hand = penalty_by_hand(twin, batch(seed=seed), kernels=False)
        (3 * (task(twin(batch(seed=seed))) + by_hand)).backward()
    assert_same_gradients(model, twin)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_forward_and_loss_compiled_together():
    torch._dynamo.reset()
    model, twin, reg = injected(ACTIVITY)

    @torch.compile(backend=aot_eager)
    def loss_of(x: Tensor) -> Tensor:
        return reg.scale_from(task(model(x)))

    for step in range(3):
        (3 * loss_of(batch(seed=step))).backward()
        by_hand = penalty_by_hand(twin, batch(seed=step), kernels=False)
        (3 * (task(twin(batch(seed=step))) + by_hand)).backward()
    assert_same_gradients(model, twin)


def test_with_a_stated_scale_a_module_that_is_called_past_its_hooks_is_told():
    model, _, reg = injected(ACTIVITY)
    reg.set_scale(1.0)
    task(model[1].forward(model[0](batch()))).backward()
    with pytest.raises(CollectionError, match=r"^1: the site has never fired .*module\.forward"):
        reg.check_fired()
    model.eval()
    with pytest.raises(CollectionError, match=r"^1: .*in evaluation mode"):
        reg.check_fired()


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("backend", [None, aot_eager])
def test_an_output_that_fired_in_a_stated_scale_passes(backend):
    model, _, reg = injected(ACTIVITY)
    reg.set_scale(1.0)
    task((model if backend is None else torch.compile(model, backend=backend))(batch())).backward()
    reg.check_fired()


def test_an_optional_output_need_not_fire():
    rules = [rz.activity(rz.L1(0.5), where="1", optional=True)]
    rz.Regularization(mlp(), rules, delivery="inject").check_fired()


def test_a_collection_needs_no_check_of_what_fired():
    with pytest.raises(RegimeError, match="check_fired"):
        rz.Regularization(mlp(), ACTIVITY).check_fired()


@pytest.mark.parametrize(
    ("rules", "acts"),
    [
        (ACTIVITY, False),
        (RULES, True),
        ([rz.activity(rz.L1(rz.LinearWarmup(0.5, steps=3)), where="1")], True),
        ([rz.constraint(rz.UnitNorm(axis="input"), where="0")], True),
    ],
)
def test_steps_of_an_optimizer_have_work_for_weights_and_for_strengths_that_change(rules, acts):
    assert rz.Regularization(mlp(), rules).acts_in_steps is acts


def test_two_losses_of_one_forward_one_after_the_other_raise():
    model, _, reg = injected(ACTIVITY)
    output = model(batch())
    reg.scale_from(output.sum()).backward(retain_graph=True)
    with pytest.raises(RegimeError, match=r"^1: two losses of one forward .* on their sum"):
        reg.scale_from(task(output)).backward()


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_one_loss_that_goes_back_twice_has_its_penalty_twice(factor):
    model, twin, reg = injected(ACTIVITY)
    loss = reg.scale_from(task(model(batch())))
    loss.backward(retain_graph=True)
    (factor * loss).backward()
    by_hand = task(twin(batch())) + penalty_by_hand(twin, batch(), kernels=False)
    ((1 + factor) * by_hand).backward()
    assert_same_gradients(model, twin)


def test_losses_of_two_forwards_may_go_back_in_any_order():
    model, twin, reg = injected(ACTIVITY)
    losses = [reg.scale_from(task(model(factor * batch()))) for factor in (1.0, 2.0)]
    for loss in reversed(losses):
        loss.backward()
    for factor in (1.0, 2.0):
        x = factor * batch()
        (task(twin(x)) + penalty_by_hand(twin, x, kernels=False)).backward()
    assert_same_gradients(model, twin)
