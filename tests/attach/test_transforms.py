"""What a transform of torch.func leaves behind: an error that names the site, and then nothing."""

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap

import regularizers as rz
from attach.helpers import batch, mlp, per_sample
from regularizers.errors import CollectionError, RegimeError

pytestmark = pytest.mark.filterwarnings(
    "ignore:`torch.jit:DeprecationWarning"  # which forward mode uses itself
)

BACKWARD = {
    "grad": lambda model: grad(lambda x: model(x).sum())(batch()),
    "vmap": lambda model: vmap(model)(batch()),
    "vjp": lambda model: vjp(model, batch()),
    "jacrev": lambda model: jacrev(model)(batch()[0]),
    "vmap of jacrev": lambda model: vmap(jacrev(model))(batch()),
    "vmap of grad": lambda model: vmap(grad(lambda x: model(x).sum()))(batch()),
    "jacrev of a part": lambda model: vmap(jacrev(lambda x: model[1](x)))(batch()),
    "gradients of samples": lambda model: vmap(
        grad(lambda p, x: functional_call(model, p, (x,)).sum()), in_dims=(None, 0)
    )(dict(model.named_parameters()), batch()),
}
FORWARD = {
    "jvp": lambda model: jvp(model, (batch(),), (batch(),)),
    "jacfwd": lambda model: jacfwd(model)(batch()[0]),
    "hessian": lambda model: hessian(lambda x: model(x).sum())(batch()[0]),
    "vmap of jacfwd": lambda model: vmap(jacfwd(model))(batch()),
    "vmap of hessian": lambda model: vmap(hessian(lambda x: model(x).sum()))(batch()),
    "jacobian": lambda model: torch.autograd.functional.jacobian(
        model, batch(), strategy="forward-mode", vectorize=True
    ),
    "dual numbers": lambda model: dual(model),
}
PENALTIES = {
    "L1": (rz.L1(1.0), per_sample),
    "L2Norm": (rz.L2Norm(1.0), lambda y: y.square().sum(dim=1).sqrt().mean()),
    "mean": (rz.L2Squared(1.0, reduce="mean"), lambda y: y.square().mean()),
}
every_penalty = pytest.mark.parametrize(("penalty", "by_hand"), PENALTIES.values(), ids=PENALTIES)


def dual(model) -> Tensor:
    with forward_ad.dual_level():
        return model(forward_ad.make_dual(batch(), batch()))


def attached(penalty, delivery="collect"):
    model = mlp()
    return model, rz.Regularization(model, [rz.activity(penalty, where="1")], delivery=delivery)


def assert_next_step_is_exact(model, reg, by_hand):
    x = batch()
    y = torch.tanh(x @ model[0].weight.T + model[0].bias)
    loss = model(x).sum() + reg.penalty()
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(loss, parameters),
        torch.autograd.grad((y @ model[2].weight.T + model[2].bias).sum() + by_hand(y), parameters),
    )


@every_penalty
@pytest.mark.parametrize("name", BACKWARD)
def test_what_was_not_collected_within_it_is_said_once(name, penalty, by_hand):
    model, reg = attached(penalty)
    BACKWARD[name](model)
    model(batch())
    with pytest.raises(
        CollectionError,
        match=r"^1/activity/\w+: recorded within a transform .*call penalty\(\) within the "
        r"function .*`with reg\.paused\(\):`",
    ):
        reg.penalty()
    assert_next_step_is_exact(model, reg, by_hand)


@every_penalty
@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize("name", FORWARD)
def test_a_derivative_taken_forwards_is_refused(name, delivery, penalty, by_hand):
    model, reg = attached(penalty, delivery)
    with pytest.raises(RegimeError, match=r"^1: (a penalty has .*jacfwd .*paused|within vmap)"):
        FORWARD[name](model)
    if delivery == "collect":
        assert_next_step_is_exact(model, reg, by_hand)
    reg.detach()
    FORWARD[name](model)


@pytest.mark.parametrize("name", [*BACKWARD, *FORWARD])
def test_in_evaluation_nothing_is_recorded(name):
    model, reg = attached(rz.L1(1.0))
    model.eval()
    (BACKWARD | FORWARD)[name](model)
    model.train()
    assert_next_step_is_exact(model, reg, per_sample)


@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize("name", [*BACKWARD, *FORWARD])
def test_the_cure_is_exact(name, delivery):
    model, reg = attached(rz.L1(1.0), delivery)
    with reg.paused():
        (BACKWARD | FORWARD)[name](model)
    if delivery == "collect":
        assert_next_step_is_exact(model, reg, per_sample)
    else:
        reg.scale_from(model(batch()).sum()).backward()


def test_large_outputs_are_refused_too():
    model, reg = attached(rz.L1(1.0))
    x = batch(9000)
    with pytest.raises(RegimeError, match=r"^1: a penalty has no forward-mode"):
        jvp(model, (x,), (x,))
    assert_next_step_is_exact(model, reg, per_sample)


def test_under_inject_the_next_step_is_exact():
    model, reg = attached(rz.L1(1.0), "inject")
    x = batch()
    with pytest.raises(RegimeError, match=r"^1: the scale of the loss is not known"):
        torch.autograd.functional.jacobian(model, x, vectorize=True)
    with pytest.raises(RegimeError, match=r"^1: "):
        vmap(jacrev(model))(x)
    reg.penalties()
    y = torch.tanh(model[0](x))
    parameters = list(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(reg.scale_from(model(x).sum()), parameters),
        torch.autograd.grad(model[2](y).sum() + per_sample(y), parameters),
    )
