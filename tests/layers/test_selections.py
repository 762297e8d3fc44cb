"""TopK, BatchTopK and Gated: which units are kept, and the exact gradients."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from regularizers.errors import ArrayTypeError, ConfigurationError, RegimeError, ShapeError
from regularizers.layers import BatchTopK, Gated, TopK


def draw(*shape, dtype=torch.float64, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def largest(z, k):
    """Return relu of the k largest, by a full sort of the flat elements."""
    cut = z.flatten().sort(descending=True).values[k - 1]
    return torch.where(z >= cut, z, 0).relu()


def of_input(layer, z, cotangent):
    z = z.clone().requires_grad_()
    y = layer(z)
    return y.detach(), torch.autograd.grad(y, z, cotangent)[0]


@pytest.mark.parametrize("shape", [(5, 8), (2, 3, 8), (8,)], ids=str)
def test_the_k_largest_of_each_sample(shape):
    z, g = draw(*shape), draw(*shape, seed=1)
    y, gradient = of_input(TopK(3), z, g)
    expected = torch.stack([largest(row, 3) for row in z.reshape(-1, 8)]).reshape(shape)
    assert torch.equal(y, expected)
    assert torch.equal(gradient, g * (expected > 0))


@pytest.mark.parametrize("shape", [(6, 8), (2, 3, 8), (600, 400)], ids=str)
@pytest.mark.parametrize("k", [2, 1.4])
def test_the_largest_of_a_batch(shape, k):
    z, g = draw(*shape), draw(*shape, seed=1)
    layer = BatchTopK(k)
    y, gradient = of_input(layer, z, g)
    expected = largest(z, round(k * z.numel() / shape[-1]))
    assert torch.equal(y, expected)
    assert torch.equal(gradient, g * (expected > 0))
    assert layer.threshold == expected[expected > 0].min().float()


@pytest.mark.parametrize("rows", [8, 3000])
def test_of_equal_elements_exactly_k_are_kept(rows):
    z = torch.ones(rows, 40)
    assert (TopK(3)(z) != 0).sum(1).tolist() == [3] * rows
    assert (BatchTopK(3)(z) != 0).sum() == 3 * rows
    few = torch.zeros(rows, 40)
    few[::2, ::20] = torch.arange(2 * (rows // 2)).reshape(-1, 2) + 1.0
    layer = BatchTopK(3)
    assert torch.equal(layer(few), few)  # fewer are positive than are asked for
    assert layer.threshold == 1


def test_a_batch_is_read_alike_whatever_it_looks_like():
    z = draw(1024, 256, dtype=torch.float32)
    cases = [z - 2, z.exp(), z.round(decimals=1), z - 20, (z > 2.5) * z]
    cases += [torch.cat([z[:1] * 100, z[1:]]), z.bfloat16().float()]
    for case in cases:
        y = BatchTopK(4)(case)
        assert (y != 0).sum() == min(4096, (case > 0).sum())
        least = y[y > 0].min() if y.any() else 0
        assert case[y == 0].max() <= least
        assert torch.equal(y[y > 0], case[y > 0])


def test_what_is_not_a_number_is_not_lost():
    for shape in ((4, 8), (1024, 256)):
        z = draw(*shape, dtype=torch.float32)
        z[1, 2] = float("nan")
        for layer in (TopK(2), BatchTopK(2)):
            assert layer(z)[1, 2].isnan()


def test_the_threshold_of_evaluation_is_a_moving_average():
    layer, expected = BatchTopK(2, momentum=0.75), None
    for seed in range(4):
        z = draw(16, 8, seed=seed)
        kept = layer(z)
        least = kept[kept > 0].min().item()
        expected = least if expected is None else 0.75 * expected + 0.25 * least
        assert layer.threshold.item() == pytest.approx(expected, rel=1e-6)
    layer(-torch.ones(3, 8))  # nothing is kept
    layer(torch.ones(0, 8))
    assert layer.threshold.item() == pytest.approx(expected, rel=1e-6)
    z, g = draw(5, 8, seed=9), draw(5, 8, seed=10)
    y, gradient = of_input(layer.eval(), z, g)
    above = z >= layer.threshold
    assert torch.equal(y, z * above)
    assert torch.equal(gradient, g * above)


def test_evaluation_before_training_raises_until_there_is_a_threshold():
    layer, z = BatchTopK(2).eval(), draw(5, 8)
    with pytest.raises(RegimeError, match=r"^BatchTopK: evaluation needs a threshold, which train"):
        layer(z)
    trained = BatchTopK(2)
    trained(z)
    layer.load_state_dict(trained.state_dict())
    expected = layer(z)
    for twin in (copy.deepcopy(layer), pickled(layer)):
        assert torch.equal(twin(z), expected)
    layer.threshold.fill_(float("nan"))
    with pytest.raises(RegimeError, match="needs a threshold"):
        layer(z)


def pickled(layer):
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def test_k_may_change_between_steps_and_is_checked_again():
    z = draw(6, 8)
    for layer in (TopK(2), BatchTopK(2)):
        layer.k = 4
        assert (layer(z + 10) != 0).sum() == 24
        layer.k = 9
        with pytest.raises(ConfigurationError, match=r"^k: expected at most the number of"):
            layer(z)
        layer.k = 0
        with pytest.raises(ConfigurationError, match=r"^k: expected "):
            layer(z)


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_checkpoint_moves_the_threshold_once(use_reentrant):
    alone, again = BatchTopK(2, 0.5), BatchTopK(2, 0.5)
    for seed in range(3):
        z = draw(6, 8, seed=seed).requires_grad_()
        alone(z)
        checkpoint(again, z, use_reentrant=use_reentrant).sum().backward()
    assert torch.equal(alone.threshold, again.threshold)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("make", [lambda: TopK(2), lambda: BatchTopK(2), lambda: Gated(8).double()])
def test_it_compiles_whole(make):
    torch.compiler.reset()
    layer, z, g = make(), draw(6, 8), draw(6, 8, seed=1)
    expected = of_input(layer, z, g)
    compiled = torch.compile(make(), backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(of_input(compiled, z, g), expected)
    if isinstance(layer, BatchTopK):
        torch.testing.assert_close(compiled.eval()(z), layer.eval()(z))
        never = torch.compile(BatchTopK(2).eval(), backend="aot_eager", fullgraph=True)
        assert never(z).isnan().all()


def gated(shape, dtype=torch.float64):
    layer = Gated(shape[-1]).to(dtype)
    with torch.no_grad():
        for number, p in enumerate(layer.parameters()):
            p.copy_(0.3 * draw(shape[-1], seed=20 + number))
    return layer


@pytest.mark.parametrize("shape", [(6, 8), (2, 3, 8), (600, 400)], ids=str)
def test_gated_units_and_their_gradients(shape):
    layer, x, g, h = gated(shape), draw(*shape), draw(*shape, seed=1), draw(*shape, seed=2)
    opened = []
    layer.gate.register_forward_hook(lambda module, inputs, y: opened.append(y))
    leaf = x.clone().requires_grad_()
    f = layer(leaf)
    b, r, m = [p.detach().clone().requires_grad_() for p in layer.parameters()]
    names = [name for name, _ in layer.named_parameters()]
    by_name = dict(zip(names, (b, r, m), strict=True))
    b, r, m = by_name["gate.bias"], by_name["log_scale"], by_name["bias"]
    twin = x.clone().requires_grad_()
    pi = twin + b
    expected = (pi > 0) * (r.exp() * twin + m).relu()
    torch.testing.assert_close(f, expected)
    torch.testing.assert_close(opened[0], pi.relu())
    ours = [leaf, layer.gate.bias, layer.log_scale, layer.bias]
    found = torch.autograd.grad((f * g + opened[0] * h).sum(), ours, retain_graph=True)
    exact = torch.autograd.grad((expected * g + pi.relu() * h).sum(), [twin, b, r, m])
    torch.testing.assert_close(found, exact)
    named = rz.functional.gated(*[each.detach().numpy() for each in (x, b, r, m)])
    for one, other in zip(named.vjp(g.numpy(), h.numpy()), exact, strict=True):
        torch.testing.assert_close(torch.as_tensor(one), other)
    (none,) = torch.autograd.grad((f * g).sum(), layer.gate.bias, allow_unused=True)
    assert none is None


def test_gated_is_differentiated_again_and_takes_half_precision():
    layer, x = gated((8,)), draw(6, 8).requires_grad_()
    (first,) = torch.autograd.grad((layer(x) ** 2).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    on = layer(x).detach() > 0
    torch.testing.assert_close(second, 2 * on * layer.log_scale.detach().exp() ** 2)
    y = gated((8,), torch.float32)(draw(6, 8).bfloat16())
    assert y.dtype == torch.bfloat16
    assert ((y != 0) == on).double().mean() > 0.9


def test_bad_input():
    for k in (0, 2.5, True, "3", None):
        with pytest.raises(ConfigurationError, match=r"^k: expected an integer of 1 or more"):
            TopK(k)
    for k in (0, -1.0, float("nan"), True, None):
        with pytest.raises(ConfigurationError, match=r"^k: expected a number above 0"):
            BatchTopK(k)
    for momentum in (1, -0.1, True, "0"):
        with pytest.raises(ConfigurationError, match=r"^momentum: expected a number in \[0, 1\)"):
            BatchTopK(2, momentum)
    with pytest.raises(ConfigurationError, match=r"^process_group: expected .* got 'all'"):
        BatchTopK(2, process_group="all")
    with pytest.raises(ConfigurationError, match=r"^units: expected an integer"):
        Gated(2.0)
    for layer in (TopK(1), BatchTopK(1), Gated(1)):
        with pytest.raises(ArrayTypeError, match="expected a tensor of a real floating type"):
            layer(torch.ones(2, 1, dtype=torch.int64))
        with pytest.raises(ShapeError, match=r"expected pre-activations .*, got shape \(\)"):
            layer(torch.ones(()))


def test_what_they_say_of_themselves():
    assert repr(TopK(2)) == "TopK(k=2)"
    assert repr(BatchTopK(2.5)) == "BatchTopK(k=2.5, momentum=0.99)"
    assert list(BatchTopK(2).state_dict()) == ["threshold"]
    assert isinstance(Gated(2).gate, nn.Module)
