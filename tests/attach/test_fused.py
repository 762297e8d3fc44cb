"""The kernels for large arrays on a GPU, made here by the compiler for the CPU."""

import warnings

import pytest
import torch

import regularizers as rz
from regularizers.attach.reading import _gpu as _fused
from regularizers.attach.reading._measure import penalise

SHAPE = (3, 1000)


@pytest.fixture
def calls(monkeypatch):
    """Say of every array that it is one for the kernels, and note which are called."""
    made = []
    monkeypatch.setattr(_fused, "is_fused", lambda x: True)
    for name in ("_READ", "_SLOPE"):
        kernel = getattr(_fused, name)

        def call(*arguments, name=name, kernel=kernel):
            made.append(name)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", r"`torch\.jit\.script_method` is deprecated")
                return kernel(*arguments)

        monkeypatch.setattr(_fused, name, call)
    yield made
    assert _fused._Kernel.work
    torch._dynamo.reset()


FORMULAS = {
    rz.L1(1.0): lambda x: x.abs().sum(),
    rz.L2Squared(1.0): lambda x: x.square().sum(),
    rz.Huber(1.0, delta=0.5): lambda x: torch.nn.functional.huber_loss(
        x, torch.zeros_like(x), reduction="sum", delta=0.5
    ),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("penalty", FORMULAS, ids=repr)
def test_value_and_gradient(penalty, dtype, calls):
    x = torch.randn(SHAPE, generator=torch.Generator().manual_seed(0)).to(dtype)
    leaf, wide = x.clone().requires_grad_(), x.double().requires_grad_()
    value = penalise(leaf, penalty, 0)
    (3 * value).backward()
    expected = FORMULAS[penalty](wide)
    (3 * expected).backward()
    assert value.dtype == torch.float32
    assert leaf.grad.dtype == dtype
    torch.testing.assert_close(value, expected.float(), rtol=1e-5, atol=0)
    torch.testing.assert_close(leaf.grad, wide.grad.to(dtype))
    assert calls == ["_READ", "_SLOPE"]


def test_another_shape_and_an_output_changed_in_place(calls):
    model = torch.nn.Sequential(torch.nn.Linear(4, 300), torch.nn.ReLU(inplace=True))
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0, reduce="sum"), where="0")])
    for samples in (100, 70):
        x = torch.randn(samples, 4)
        output = model(x)
        (slope,) = torch.autograd.grad(output.sum() + reg.penalty(), model[0].bias)
        y = model[0](x)
        reg.penalty()
        torch.testing.assert_close(slope, ((y > 0).float() + y.sign()).sum(0))
    assert calls.count("_SLOPE") == 2


def test_differentiated_twice_it_is_in_the_graph(calls):
    leaf = torch.randn(SHAPE, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(penalise(leaf, rz.L2Squared(1.0), 0), leaf, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), leaf)
    torch.testing.assert_close(second, torch.full_like(leaf, 2.0))
    assert calls == ["_READ"]


def test_without_a_compiler_it_takes_several_passes(monkeypatch):
    def broken(*arguments):
        raise RuntimeError("no compiler")

    monkeypatch.setattr(_fused, "is_fused", lambda x: _fused._Kernel.work)
    monkeypatch.setattr(_fused._Kernel, "work", True)
    monkeypatch.setattr(_fused._READ, "_compiled", broken)
    leaf = torch.tensor([1.0, -2.0, 0.0], requires_grad=True)
    with pytest.warns(UserWarning, match=r"several \(RuntimeError: no compiler\)"):
        value = penalise(leaf, rz.L1(1.0), 0)
    value.backward()
    assert value == 3
    assert leaf.grad.tolist() == [1, -1, 0]
    assert not _fused._Kernel.work


def test_small_arrays_and_the_memory_of_the_machine_have_no_kernels():
    assert not _fused.is_fused(torch.zeros(_fused.LARGE))
