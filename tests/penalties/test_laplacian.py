"""Differences along the edges of a graph: pair by pair, by scipy's Laplacian, in models."""

import copy
import pickle
from math import inf, nan

import array_api_strict
import jax
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.sparse.csgraph import laplacian
from torch import nn

import regularizers as rz
from penalties.arrays import make, numbers
from penalties.oracle import plain, value_and_gradient
from penalties.test_autograd import leaf
from penalties.test_masks import boolean
from regularizers import Budget, Laplacian, activity
from regularizers.errors import ConfigurationError, RegimeError, ShapeError


def random_graph(nodes, seed=0, share=0.6):
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.random((nodes, nodes)) * (rng.random((nodes, nodes)) < share), 1)
    return weights + weights.T


GRAPH = random_graph(5)
TWO_PARTS = np.kron(np.eye(2), np.ones((3, 3)))  # two triangles, with edges of nodes to themselves
BATCH = np.random.default_rng(1).standard_normal((3, 5, 2))
REDUCTIONS = ["sum", "batch_mean", "mean"]
COUNT = {"sum": 1, "batch_mean": 3, "mean": 30}

every_reduction = pytest.mark.parametrize("reduce", REDUCTIONS)


def pair_by_pair(weights, x, axis, valid=None):
    """Return ½ Σ w ‖f_i − f_j‖² of pairs of which both elements are valid."""
    nodes = np.moveaxis(x, axis, 0)
    valid = np.ones(x.shape, bool) if valid is None else valid
    valid = np.moveaxis(np.broadcast_to(valid, x.shape), axis, 0)
    total = 0.0
    for i, j in np.ndindex(weights.shape):
        both = valid[i] & valid[j]
        total += weights[i, j] * np.square(nodes[i][both] - nodes[j][both]).sum() / 2
    return total


@every_reduction
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_trace_by_scipy(xp, reduce, dtype):
    matrix = laplacian(GRAPH)
    traces = [np.trace(sample.T @ matrix @ sample) for sample in BATCH]
    penalty = Laplacian(0.5, GRAPH, 1, reduce=reduce)
    value, gradient = penalty.value_and_gradient(make(xp, BATCH, dtype))
    rtol = 1e-5 if dtype == "float32" else 1e-12

    assert float(value) == pytest.approx(0.5 * sum(traces) / COUNT[reduce], rel=rtol)
    expected = np.einsum("ij,bjf->bif", matrix, BATCH) / COUNT[reduce]
    assert_allclose(numbers(gradient), expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3])
def test_nodes_are_numbered_by_the_axis(xp, axis):
    graph = random_graph(BATCH.shape[axis], seed=2)
    penalty = Laplacian(0.5, graph, axis)
    value, gradient = penalty.value_and_gradient(make(xp, BATCH))

    assert float(value) == pytest.approx(0.5 * pair_by_pair(graph, BATCH, axis))
    by_autograd = value_and_gradient(penalty, BATCH)[1]
    assert_allclose(numbers(gradient), by_autograd, rtol=1e-11, atol=1e-13)


@every_reduction
@pytest.mark.parametrize("graph", [GRAPH, TWO_PARTS[:5, :5], np.zeros((5, 5))])
def test_a_pair_with_a_masked_element_does_not_count(xp, reduce, graph):
    valid = np.cos(np.arange(30)).reshape(3, 5, 2) > -0.3
    x = np.where(valid, BATCH, nan)
    penalty = Laplacian(0.5, graph, 1, reduce=reduce)
    value, gradient = penalty.value_and_gradient(make(xp, x), mask=boolean(xp, valid))
    count = {"sum": 1, "batch_mean": 3, "mean": valid.sum()}[reduce]

    def by_pairs(x):
        return 0.5 * pair_by_pair(graph, x, 1, valid) / count

    assert float(value) == pytest.approx(by_pairs(BATCH), rel=1e-12)
    slope = np.zeros(x.shape)
    for place in np.argwhere(valid):
        step = np.zeros(x.shape)
        step[tuple(place)] = 0.5
        slope[tuple(place)] = by_pairs(BATCH + step) - by_pairs(BATCH - step)  # of a square: exact
    assert_allclose(numbers(gradient), slope, rtol=1e-11, atol=1e-13)


def test_all_masked_is_0(xp):
    value, gradient = Laplacian(0.5, GRAPH, 1).value_and_gradient(
        make(xp, np.full((3, 5, 2), nan)), mask=boolean(xp, [False] * 3)
    )

    assert float(value) == 0
    assert_array_equal(numbers(gradient), np.zeros((3, 5, 2)))


@pytest.mark.parametrize("odd", [nan, inf])
def test_what_is_not_finite_is_seen(xp, odd):
    x = BATCH.copy()
    x[0, 0, 0] = odd
    with np.errstate(invalid="ignore"):
        assert np.isnan(float(Laplacian(0.5, GRAPH, 1)(make(xp, x))))


@every_reduction
def test_empty_batches(xp, reduce):
    value, gradient = Laplacian(0.5, GRAPH, 1, reduce=reduce).value_and_gradient(
        make(xp, np.zeros((0, 5, 2)))
    )

    assert float(value) == 0
    assert gradient.shape == (0, 5, 2)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_is_accumulated_in_single(half):
    x = torch.tensor(BATCH).to(getattr(torch, half))
    value, gradient = Laplacian(0.5, GRAPH, 1).value_and_gradient(x)
    expected = value_and_gradient(Laplacian(0.5, GRAPH, 1), x.double())

    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(expected[0], rel=1e-5)
    assert gradient.dtype == x.dtype
    assert_allclose(numbers(gradient), expected[1], rtol=torch.finfo(x.dtype).eps, atol=1e-5)


@pytest.mark.parametrize("graph", [random_graph(6), TWO_PARTS], ids=["one part", "two parts"])
def test_an_offset_of_each_part_costs_nothing_and_rounds_nothing(xp, graph):
    """In float32 a product with the Laplacian alone would lose the differences."""
    offsets = np.array([[1e4] * 6] if graph is not TWO_PARTS else [[1e4] * 3 + [-1e4] * 3])
    x = (offsets + 0.01 * np.arange(6)).astype("float32")
    value, gradient = Laplacian(1.0, graph, 1).value_and_gradient(make(xp, x, "float32"))
    expected = value_and_gradient(Laplacian(1.0, graph, 1), x)

    assert float(value) == pytest.approx(expected[0], rel=1e-3)
    assert_allclose(numbers(gradient), expected[1], atol=1e-3 * np.abs(expected[1]).max())


def test_a_constant_on_each_part_costs_nothing(xp):
    x = make(xp, np.repeat([[3.0], [-7.0]], 3, axis=0))
    value, gradient = Laplacian(1.0, TWO_PARTS, 0).value_and_gradient(x)

    assert float(value) == 0
    assert_array_equal(numbers(gradient), np.zeros((6, 1)))


@every_reduction
def test_autograd_twice_and_jax(reduce):
    penalty = Laplacian(0.5, GRAPH, 1, reduce=reduce)
    assert torch.autograd.gradcheck(penalty, leaf(BATCH))
    assert torch.autograd.gradgradcheck(penalty, leaf(BATCH))
    assert torch.autograd.gradcheck(penalty.gradient, leaf(BATCH))
    with jax.enable_x64(True):
        by_jax = jax.jit(jax.grad(penalty))(jax.numpy.asarray(BATCH))
    assert_allclose(numbers(by_jax), penalty.gradient(BATCH), rtol=1e-11, atol=1e-14)


def test_autocast_does_not_lower_its_precision():
    x = torch.tensor(BATCH, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = Laplacian(0.5, GRAPH, 1)(x)

    assert float(value) == pytest.approx(0.5 * pair_by_pair(GRAPH, BATCH, 1), rel=1e-5)


MATRICES = {
    "lists": GRAPH.tolist(),
    "tuples": tuple(map(tuple, GRAPH)),
    "numpy": GRAPH,
    "torch": torch.tensor(GRAPH, requires_grad=True),
    "strict": array_api_strict.asarray(GRAPH),
    "jax in float32": jax.numpy.asarray(GRAPH.astype("float32")),
    "loops": GRAPH + 7 * np.eye(5),
}


@pytest.mark.parametrize("matrix", MATRICES.values(), ids=MATRICES)
def test_a_graph_of_any_library(matrix):
    penalty = Laplacian(0.5, matrix, 1)

    assert float(penalty(BATCH)) == pytest.approx(0.5 * pair_by_pair(GRAPH, BATCH, 1), rel=1e-6)
    assert repr(penalty) == "Laplacian(0.5, <graph of 5 nodes>, 1)"


@pytest.mark.parametrize("kind", [int, bool])
def test_a_graph_without_weights(kind):
    edges = (GRAPH > 0).astype(kind)

    assert Laplacian(0.5, edges, 1) == Laplacian(0.5, edges.astype(float), 1)


def test_it_is_a_value():
    penalty, same = Laplacian(0.5, GRAPH, 1), Laplacian(0.5, GRAPH.copy(), 1)
    other = GRAPH.copy()
    other[0, 1] = other[1, 0] = 9.0

    assert penalty == same == copy.deepcopy(penalty) == pickle.loads(pickle.dumps(penalty))
    assert hash(penalty) == hash(same)
    assert penalty != Laplacian(0.5, other, 1)
    assert 2 * penalty == Laplacian(1.0, GRAPH, 1)
    assert (2 * penalty).graph is penalty.graph


def test_it_keeps_a_copy_of_the_graph():
    matrix = GRAPH.copy()
    penalty = Laplacian(0.5, matrix, 1)
    matrix[:] = 0

    assert float(penalty(BATCH)) > 0


@pytest.mark.parametrize(
    ("graph", "match"),
    [
        (np.ones((2, 3)), "a square matrix of .*, got 2 rows, of which row 0 has 3 weights"),
        ([[0.0, 1.0], [1.0]], "got 2 rows, of which row 1 has 1 weights"),
        ([], "of one node or more, got none"),
        (
            [[0, 1], [2, 0]],
            r"symmetric matrix, got 1.0 at \[0, 1\] and 2.0 at \[1, 0\]; of directed",
        ),
        ([[0, -1], [-1, 0]], r"finite and not negative, got -1.0 at \[0, 1\]"),
        ([[0, 0], [0, -2]], r"finite and not negative, got -2.0 at \[1, 1\]"),
        ([[0, inf], [inf, 0]], r"finite and not negative, got inf at \[0, 1\]"),
        ([[0, nan], [nan, 0]], r"finite and not negative, got nan at \[0, 1\]"),
        (np.ones(3), r"dense array or as lists, got a ndarray of shape \(3,\)"),
        (np.ones((2, 2, 2)), r"got a ndarray of shape \(2, 2, 2\)"),
        (np.ones((2, 2), complex), r"got a ndarray of shape \(2, 2\)"),
        (csr_array(np.ones((2, 2))), r"dense array or as lists, got a csr_array of shape \(2, 2\)"),
        (torch.ones(2, 2).to_sparse(), r"dense array or as lists, got a Tensor of shape \(2, 2\)"),
        ("graph", "got a str"),
        ([["0", "1"], ["1", "0"]], "got a list"),
        (3.0, "got a float"),
        (None, "got a NoneType"),
    ],
)
def test_a_matrix_that_is_no_graph(graph, match):
    with pytest.raises(ConfigurationError, match=f"^graph: expected .*{match}"):
        Laplacian(0.5, graph, 0)


@pytest.mark.parametrize(
    ("axis", "reduce", "shape", "match"),
    [
        (1, None, (3, 4), r"as many nodes as axis 1 of \(3, 4\) has, 4, got 5; which axis"),
        (-1, None, (3, 5, 2), r"axis -1 of \(3, 5, 2\) has, 2, got 5"),
        (2, None, (3, 5), "axis: expected axes of an array of 2 dimensions, from -2 to 1, got 2"),
        (0, None, (), "axis: expected an array with the axis 0, got a number"),
        (0, "batch_mean", (5, 2), r"the batch, \(0,\), in a mean over samples, got 0: edges are"),
    ],
)
def test_arrays_that_the_graph_does_not_fit(axis, reduce, shape, match):
    x, grads = np.ones(shape), np.zeros(shape)
    with pytest.raises(ShapeError, match=match):
        Laplacian(0.5, GRAPH, axis, reduce=reduce).apply(x, grads)

    assert_array_equal(grads, 0)


def penalised(model, rule, x, delivery="collect", **options):
    """Return the gradient of the first weight of a model with a penalty."""
    model.zero_grad()
    reg = rz.Regularization(model, [rule], delivery=delivery, **options)
    loss = model(x).sum()
    (reg.scale_from(loss) if delivery == "inject" else loss + reg.penalty()).backward()
    reg.detach()
    return next(model.parameters()).grad.clone()


@pytest.mark.parametrize("delivery", ["collect", "inject"])
@every_reduction
def test_units_of_a_model_are_nodes(delivery, reduce):
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh()).double()
    x = torch.randn(7, 4, dtype=torch.float64)
    penalty = Laplacian(0.3, GRAPH, 1, reduce=reduce)
    found = penalised(model, activity(penalty, where="1"), x, delivery)
    output = model(x)
    by_hand = output.sum() + plain(penalty, output)
    (expected,) = torch.autograd.grad(by_hand, model[0].weight)

    assert_allclose(found.numpy(), expected.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_samples_of_a_model_are_nodes(delivery, reduce):
    model, x = nn.Linear(4, 2).double(), torch.randn(5, 4, dtype=torch.float64)
    penalty = Laplacian(0.3, GRAPH, 0, reduce=reduce)
    found = penalised(model, activity(penalty, where=""), x, delivery)
    output = model(x)
    (expected,) = torch.autograd.grad(output.sum() + plain(penalty, output), model.weight)

    assert_allclose(found.numpy(), expected.numpy(), rtol=1e-10, atol=1e-12)


def test_samples_that_are_nodes_have_no_mean_over_samples():
    model = nn.Linear(4, 2)
    with pytest.raises(ShapeError, match=r"in a mean over samples, got 0: .* use reduce='sum'"):
        penalised(model, activity(Laplacian(0.3, GRAPH, 0), where=""), torch.ones(5, 4))


def test_parts_of_samples_that_are_nodes_do_not_join():
    penalty = Laplacian(0.3, GRAPH, 0)
    frame = penalty.frame(np, BATCH[0], None)
    statistic, _ = penalty.statistic(BATCH[0], frame)

    assert penalty.spans_samples(statistic)
    assert not Laplacian(0.3, GRAPH, 1).spans_samples(np.float64(1.0))
    with pytest.raises(RegimeError, match=r"nodes of its graph are samples, .* process_group='loc"):
        penalty.to_sum(statistic, np)


def test_rows_of_a_kernel_are_nodes():
    model = nn.Linear(4, 5).double()
    penalty = Laplacian(0.3, GRAPH, 0)
    rz.Regularization(model, [rz.kernel(penalty)]).penalty().backward()

    expected = 0.6 * laplacian(GRAPH) @ model.weight.detach().numpy()
    assert_allclose(model.weight.grad.numpy(), expected, rtol=1e-12, atol=1e-14)


def test_it_has_a_budget(xp):
    x = make(xp, BATCH)
    spent = float(Laplacian(1.0, GRAPH, 1)(x))

    assert float(Budget(Laplacian(0.5, GRAPH, 1), spent - 1)(x)) == pytest.approx(0.5)
