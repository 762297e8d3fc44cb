"""Marks that no Regularization has read are warned of in training, and harmless otherwise."""

import copy
import io
import pickle
import warnings
import weakref

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from attach.helpers import hook_dicts
from matrix.judge import OF_DYNAMO

MARKS = {
    "activity": lambda: rz.regularize(nn.Linear(4, 2), activity_regularizer=rz.L1(1.0)),
    "kernel": lambda: rz.regularize(nn.Linear(4, 2), kernel_regularizer=rz.L1(1.0)),
    "layer": lambda: rz.layers.ActivityPenalty(rz.L1(1.0)),
    "tuple": lambda: rz.regularize(nn.LSTM(4, 2), kernel_regularizer=rz.L1(1.0)),
}
every_mark = pytest.mark.parametrize("kind", MARKS)


pytestmark = [pytest.mark.filterwarnings(f"ignore:{message}") for message in OF_DYNAMO]


def model(kind: str = "kernel") -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 4), MARKS[kind]())


def loss(model: nn.Module, x: Tensor | None = None) -> Tensor:
    y = model(torch.randn(3, 4) if x is None else x)
    return (y[0] if isinstance(y, tuple) else y).mean()


def said(model: nn.Module, steps: int = 3) -> list[str]:
    """Return the warnings of some steps of training."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(steps):
            loss(model).backward()
    return [str(warning.message) for warning in caught]


@every_mark
def test_the_first_backward_pass_warns(kind):
    marked = model(kind)
    name = {"layer": "ActivityPenalty", "tuple": "LSTM"}.get(kind, "Linear")
    (message,) = said(marked)
    assert message.startswith(f"{name} is marked by regularize() or")
    assert message.endswith(
        "so nothing is penalised; make reg = Regularization(model) and add reg.penalty() to the "
        "loss"
    )


def test_several_marks_of_a_model_are_one_warning():
    assert len(said(nn.Sequential(MARKS["kernel"](), MARKS["layer"](), nn.ReLU()))) == 1


def test_each_model_has_its_own():
    assert [len(said(model())) for _ in range(2)] == [1, 1]


@every_mark
def test_a_forward_alone_says_nothing(kind):
    marked = model(kind)
    loss(marked)
    with torch.no_grad():
        loss(marked)
    loss(marked.eval()).backward()
    assert said(marked) == []
    assert len(said(marked.train())) == 1


@every_mark
def test_what_a_regularization_has_read_is_not_warned_of(kind):
    marked = model(kind)
    reg = rz.Regularization(marked)
    (loss(marked) + reg.penalty()).backward()
    reg.detach()
    assert said(marked) == []


def pickled(module: nn.Module) -> nn.Module:
    return pickle.loads(pickle.dumps(module))


def saved(value: nn.Module | Tensor) -> nn.Module | Tensor:
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@every_mark
@pytest.mark.parametrize("make_copy", [copy.deepcopy, pickled, saved])
@pytest.mark.parametrize("is_read", [False, True])
def test_copies_that_no_regularization_has_read_warn(kind, make_copy, is_read):
    marked = model(kind)
    reg = rz.Regularization(marked) if is_read else None
    twin = make_copy(marked)
    assert len(said(twin)) == 1
    if reg is not None:
        (loss(marked) + reg.penalty()).backward()


def test_marking_again_leaves_one_hook():
    layer = MARKS["kernel"]()
    rz.regularize(layer, bias_regularizer=rz.L1(1.0))
    assert len(layer._forward_hooks) == 1


def test_a_regularization_leaves_the_hooks_of_the_marks_alone():
    marked = model()
    before = [list(hooks) for hooks in hook_dicts(marked)]
    rz.Regularization(marked).detach()
    assert [list(hooks) for hooks in hook_dicts(marked)] == before


def test_a_marked_model_does_not_wait_for_the_garbage_collector():
    layer = MARKS["kernel"]()
    alive = weakref.ref(layer)
    del layer
    assert alive() is None


@pytest.mark.parametrize("reentrant", [False, True])
def test_under_a_checkpoint(reentrant):
    marked = MARKS["kernel"]()

    def step():
        x = torch.randn(3, 4, requires_grad=True)
        checkpoint(marked, x, use_reentrant=reentrant).mean().backward()

    with pytest.warns(UserWarning, match="no Regularization has read"):
        step()
    step()


def test_a_leaf_keeps_no_hook():
    layer = MARKS["layer"]()
    x = torch.ones(2, 3, requires_grad=True)
    layer(x)
    with pytest.warns(UserWarning, match="no Regularization has read"):
        layer(x).sum().backward()
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.full((2, 3), 2.0))
    assert not x._backward_hooks


def test_the_output_can_be_saved():
    y = MARKS["kernel"]()(torch.ones(2, 4))
    torch.testing.assert_close(saved(y), y)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("kind", ["activity", "kernel", "layer"])
@pytest.mark.parametrize("make_copy", [lambda module: module, copy.deepcopy, pickled])
def test_it_can_be_scripted_and_traced(kind, make_copy):
    marked, x = make_copy(model(kind)), torch.randn(3, 4)
    scripted = torch.jit.script(marked)
    assert loss(scripted, x) == loss(marked, x)
    assert scripted[0].weight is marked[0].weight
    marked = make_copy(model(kind))
    assert loss(torch.jit.trace(marked, x), x) == loss(marked, x)


def test_scripting_a_copy_leaves_the_original_as_it_is():
    marked = model()
    twin = copy.deepcopy(marked)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(twin)
    assert (len(marked[1]._forward_hooks), len(twin[1]._forward_hooks)) == (1, 0)


@pytest.mark.parametrize("kind", ["activity", "kernel", "layer"])
def test_it_can_be_compiled_exported_and_traced_symbolically(kind):
    marked, x = model(kind), torch.randn(3, 4)
    compiled = torch.compile(marked, backend="eager", fullgraph=True)
    loss(compiled, x).backward()
    assert loss(torch.export.export(marked, (x,)).module(), x) == loss(marked, x)
    assert loss(torch.fx.symbolic_trace(marked), x) == loss(marked, x)


def test_within_a_transform_nothing_is_said():
    marked = model()
    gradient = torch.func.grad(lambda x: loss(marked, x))(torch.ones(3, 4))
    assert gradient.shape == (3, 4)


def test_the_first_part_of_an_output_that_has_a_gradient_is_watched():
    class Parts(nn.Module):
        def forward(self, x):
            return {"text": "none", "parts": [x.detach(), x * 2]}

    marked = rz.regularize(Parts(), activity_regularizer=rz.L1(1.0))
    y = marked(torch.ones(2, requires_grad=True))["parts"][1]
    with pytest.warns(UserWarning, match=r"^Parts is marked by regularize\(\) or"):
        y.sum().backward()
