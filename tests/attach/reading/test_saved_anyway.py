"""If an operation saves its own output, L1 saves the same tensor and no signs."""

import pytest
import torch
from functorch.compile import make_boxed_func
from torch import nn
from torch._dynamo.backends.common import aot_autograd
from torch._dynamo.exc import BackendCompilerFailed
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

import regularizers as rz

# the list of operations is held to what PyTorch says of each
from regularizers.modules import _autograd_state, is_saved_anyway
from regularizers.penalties.kernels import thresholds

ACTIVATIONS = [nn.ReLU(), nn.Tanh(), nn.Sigmoid(), nn.Softmax(-1)]
LARGE = thresholds.PIECE + 5


def test_the_operations_named_save_their_result():
    x = torch.randn(3, 5, requires_grad=True)
    names = set()
    for activation in ACTIVATIONS:
        y = activation(x)
        names.add(type(y.grad_fn).__name__)
        assert y.grad_fn._saved_result.data_ptr() == y.data_ptr()
        assert is_saved_anyway(y)
    assert names == _autograd_state._SAVE_THEIR_RESULT


@pytest.mark.parametrize("other", [nn.Linear(5, 5), nn.GELU(), nn.Flatten(0)])
def test_others_do_not(other):
    y = other(torch.randn(3, 5, requires_grad=True))
    assert not is_saved_anyway(y)
    assert not is_saved_anyway(y.detach())


def test_not_where_what_is_saved_goes_through_hooks():
    with saved_tensors_hooks(lambda x: x, lambda x: x):
        assert not is_saved_anyway(torch.randn(3, requires_grad=True).relu())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("units", [7, 40_000, LARGE, 5 * LARGE])
@pytest.mark.parametrize("activation", ACTIVATIONS[:2], ids=repr)
def test_the_gradient_is_that_of_autograd(activation, units, dtype):
    torch.manual_seed(0)
    x = torch.randn(1, units, dtype=dtype, requires_grad=True)
    model = nn.Sequential(activation)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.25), where="0")])
    y = model(x)
    (y.double().square().sum() + reg.penalty()).backward()
    wanted = x.detach().clone().requires_grad_()
    z = activation(wanted)
    (z.double().square().sum() + 0.25 * z.double().abs().sum()).backward()
    tolerance = 0.02 if dtype is torch.bfloat16 else 1e-6
    torch.testing.assert_close(x.grad, wanted.grad, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("units", [thresholds.PIECE, thresholds.PIECE + 1])
def test_it_keeps_no_memory_of_its_own(units):
    kept = []
    model = nn.Sequential(nn.ReLU())
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="0")])
    x = torch.randn(1, units, requires_grad=True)
    y = model(x)
    node = reg.penalty().grad_fn
    seen = [node]
    while seen:
        node = seen.pop()
        kept += [t for t in getattr(node, "saved_tensors", ()) if t is not None]
        kept += [t for t in [getattr(node, "_saved_self", None)] if isinstance(t, torch.Tensor)]
        seen += [following for following, _ in node.next_functions if following is not None]
    pointers = {t.data_ptr() for t in kept if t.numel() == y.numel()}
    assert pointers == {y.data_ptr()}


def test_a_change_in_place_is_seen():
    model = nn.Sequential(nn.ReLU())
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="0")])
    y = model(torch.randn(1, 40_000, requires_grad=True))
    y += 1.0
    with pytest.raises(RuntimeError, match=r"in.?place"):
        (y.sum() + reg.penalty()).backward()


def test_under_a_checkpoint():
    gradients = []
    for wrapped in (False, True):
        model = nn.Sequential(nn.ReLU())
        reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="0")])
        torch.manual_seed(0)
        x = torch.randn(1, 40_000, requires_grad=True)
        y = checkpoint(model, x, use_reentrant=False) if wrapped else model(x)
        (y.square().sum() + reg.penalty()).backward()
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


class Changing(nn.Module):
    """An activation, whose output may be changed in place."""

    def __init__(self, activation, change):
        super().__init__()
        self.activation, self.change = activation, change

    def forward(self, x):
        y = self.activation(x * 1.0)
        z = y * 2.0
        if self.change:
            y.neg_()
        return y + z


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_compiled(activation):
    model = Changing(activation, change=False)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.25), where="activation")])
    x = torch.randn(1, 50, requires_grad=True)
    y = torch.compile(model, fullgraph=True, backend="aot_eager")(x)
    (y.square().sum() + reg.penalty()).backward()
    wanted = x.detach().clone().requires_grad_()
    z = activation(wanted * 1.0)
    (9 * z.square().sum() + 0.25 * z.abs().sum()).backward()
    torch.testing.assert_close(x.grad, wanted.grad)


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_compiled_a_change_in_place_is_refused_by_the_compiler(activation):
    model = Changing(activation, change=True)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.25), where="activation")])
    with pytest.raises(BackendCompilerFailed, match="modified by an inplace operation"):
        torch.compile(model, fullgraph=True, backend="aot_eager")(
            torch.randn(1, 50, requires_grad=True)
        )
    reg.detach()


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize(("site", "keeps_signs"), [(nn.ReLU(), False), (nn.GELU(), True)])
def test_compiled_it_keeps_no_signs(site, keeps_signs):
    types = []

    def forward(graph, _):
        (output,) = [node for node in graph.graph.nodes if node.op == "output"]
        types.extend([node.meta["val"].dtype for node in output.args[0] if node is not None])
        return make_boxed_func(graph)

    backend = aot_autograd(fw_compiler=forward, bw_compiler=lambda graph, _: make_boxed_func(graph))
    model = nn.Sequential(nn.Linear(4, 6), site)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.25), where="1")])
    y = torch.compile(model, fullgraph=True, backend=backend)(torch.randn(5, 4))
    (y.square().sum() + reg.penalty()).backward()
    assert (torch.int8 in types) == keeps_signs
