"""The diagonal of the Fisher information: per-sample squares, against closed forms and a loop."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

import regularizers as rz
from attach.helpers import batch, mlp
from regularizers.errors import ConfigurationError, RegimeError, SelectionError


def by_loop(model: nn.Module, batches, loss) -> dict[str, Tensor]:
    """Return the mean of squares of gradients, one backward pass a sample, in float64."""
    twin = copy.deepcopy(model).double().eval()
    totals = {n: torch.zeros_like(p) for n, p in twin.named_parameters() if p.requires_grad}
    count = 0
    for x, y in batches:
        for number in range(len(y)):
            twin.zero_grad()
            inputs = x[number : number + 1]
            inputs = inputs.double() if inputs.is_floating_point() else inputs
            loss(twin(inputs), y[number : number + 1]).backward()
            for name in totals:
                gradient = twin.get_parameter(name).grad
                if gradient is not None:
                    totals[name] += gradient.to_dense().square()
            count += 1
    return {name: total / count for name, total in totals.items()}


def labelled(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    return batch(rows, seed=seed), torch.arange(rows) % 2


def test_of_a_logistic_regression_it_is_the_closed_form():
    torch.manual_seed(0)
    model = nn.Linear(4, 1).double()
    x = batch(400)
    y = (torch.rand(400, 1, dtype=torch.float64) < 0.5).double()
    fisher = rz.diagonal_fisher(model, [(x, y)], binary_cross_entropy_with_logits)
    p = model(x).sigmoid().detach()
    torch.testing.assert_close(fisher["weight"], ((p - y) ** 2 * x**2).mean(0, keepdim=True))
    torch.testing.assert_close(fisher["bias"], ((p - y) ** 2).mean(0))


def test_with_targets_of_the_model_it_is_the_fisher_information():
    torch.manual_seed(0)
    model = nn.Linear(4, 1).double()
    x = batch(20)
    p = model(x).sigmoid().detach()
    # both labels of each sample, as often as the model expects them: the mean over them is exact
    both = [
        (x[k : k + 1], torch.full((1, 1), label, dtype=torch.float64))
        for k in range(len(x))
        for label in (0.0, 1.0)
    ]
    chances = [q for each in p.flatten().tolist() for q in (1 - each, each)]
    expected = (p * (1 - p) * x**2).mean(0, keepdim=True)
    total = sum(
        q * rz.diagonal_fisher(model, [one], binary_cross_entropy_with_logits)["weight"]
        for q, one in zip(chances, both, strict=True)
    )
    torch.testing.assert_close(total / len(x), expected)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("sizes", [[1], [6], [6, 3, 1]], ids=str)
def test_it_is_that_of_a_loop_whatever_the_batches_and_the_reduction(sizes, reduction):
    model = mlp()

    def loss(outputs, targets):
        return cross_entropy(outputs, targets, reduction=reduction)

    batches = [labelled(rows, seed) for seed, rows in enumerate(sizes)]
    torch.testing.assert_close(
        rz.diagonal_fisher(model, batches, loss), by_loop(model, batches, loss)
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_it_is_in_float32_or_wider(dtype):
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)
    x, y = labelled(6, 0)
    fisher = rz.diagonal_fisher(model, [(x.to(dtype), y)], cross_entropy)
    assert {each.dtype for each in fisher.values()} == {torch.float32}
    expected = by_loop(model, [(x.to(dtype), y)], cross_entropy)
    rtol = 1e-5 if dtype == torch.float32 else 0.2
    for name, each in fisher.items():
        torch.testing.assert_close(each.double(), expected[name], rtol=rtol, atol=rtol * 1e-1)


class Reads(nn.Module):
    """Branches on a value, which vmap cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) if x.sum().item() > 0 else self.linear(-x)


class Last(nn.Module):
    """The last state of a recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(4, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0][:, -1])


FALL_BACK = {
    "a branch": (Reads, lambda: batch(5)),
    "an LSTM": (Last, lambda: batch(10).reshape(5, 2, 4)),
    "a sparse embedding": (
        lambda: nn.Sequential(nn.Embedding(7, 3, sparse=True), nn.Flatten(), nn.Linear(6, 2)),
        lambda: torch.tensor([[1, 1], [2, 3], [1, 2], [0, 0], [5, 6]]),
    ),
}


@pytest.mark.parametrize("name", FALL_BACK)
def test_a_model_that_vmap_cannot_follow_is_run_sample_by_sample(name):
    build, inputs = FALL_BACK[name]
    torch.manual_seed(0)
    model, batches = build().double(), [(inputs(), torch.arange(5) % 2)]
    torch.testing.assert_close(
        rz.diagonal_fisher(model, batches, cross_entropy), by_loop(model, batches, cross_entropy)
    )


class Unused(nn.Sequential):
    """Has a parameter that no forward reads."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__(*modules)
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        for module in list(self.children()):
            x = module(x)
        return x


def test_parameters_that_are_tied_unused_and_frozen():
    model = Unused(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Linear(3, 3)).double()
    model[2].weight = model[0].weight
    model[3].requires_grad_(False)
    batches = [(torch.randn(5, 3, dtype=torch.float64), torch.arange(5) % 3)]
    fisher = rz.diagonal_fisher(model, batches, cross_entropy)
    assert list(fisher) == ["unused", "0.weight", "0.bias", "2.bias"]
    assert not fisher["unused"].any()
    torch.testing.assert_close(fisher, by_loop(model, batches, cross_entropy))


def test_several_inputs_are_several_arguments():
    model = nn.Bilinear(2, 3, 2).double()
    x, z, y = torch.randn(4, 2).double(), torch.randn(4, 3).double(), torch.arange(4) % 2
    fisher = rz.diagonal_fisher(model, [((x, z), y)], cross_entropy)
    error = model(x, z).softmax(dim=1).detach() - nn.functional.one_hot(y, 2)
    expected = torch.einsum("nk,ni,nj->kij", error**2, x**2, z**2) / 4
    torch.testing.assert_close(fisher["weight"], expected)


@pytest.mark.parametrize("vmaps", [True, False])
def test_the_model_is_left_as_it_was(vmaps):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 2))
    if not vmaps:
        model.append(nn.Unflatten(1, (2,)))
        model.register_forward_hook(lambda module, inputs, output: output * output.sum().item())
    model[1].eval()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="0")])
    model(batch().float())
    pending = reg.penalty()
    model[0].weight.grad = torch.ones(5, 4)
    buffers = {name: each.clone() for name, each in model.named_buffers()}
    modes = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    x, y = labelled(6, 0)
    rz.diagonal_fisher(model, [(x.float(), y)], cross_entropy)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(model[0].weight.grad, torch.ones(5, 4))
    assert model[3].weight.grad is None
    assert torch.equal(torch.get_rng_state(), state)
    for name, each in model.named_buffers():
        assert torch.equal(each, buffers[name])
    model(batch().float())
    torch.testing.assert_close(reg.penalty(), pending)


class Counts(nn.Module):
    """Draws and writes a buffer in evaluation mode too."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2).double()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(x + torch.randn_like(x))


def test_buffers_and_random_state_are_as_before_whatever_the_model_does():
    model = Counts()
    state = torch.get_rng_state()
    rz.diagonal_fisher(model, [labelled(3, 0)], cross_entropy)
    assert model.calls == 0
    assert torch.equal(torch.get_rng_state(), state)


def test_a_failure_leaves_the_modes_as_they_were():
    model = mlp()

    def loss(outputs, targets):
        raise ValueError("of the user")

    with pytest.raises(ValueError, match="of the user"):
        rz.diagonal_fisher(model, [labelled(3, 0)], loss)
    assert model.training


def test_gradients_need_not_be_enabled_around_it():
    model, batches = mlp(), [labelled(3, 0)]
    expected = rz.diagonal_fisher(model, batches, cross_entropy)
    with torch.no_grad():
        torch.testing.assert_close(rz.diagonal_fisher(model, batches, cross_entropy), expected)


def test_it_is_an_importance():
    model, batches = mlp(), [labelled(6, 0)]
    fisher = rz.diagonal_fisher(model, batches, cross_entropy)
    reg = rz.Regularization(
        model, [rz.kernel(rz.L2Squared(0.5), towards=model.state_dict(), importance=fisher)]
    )
    with torch.no_grad():
        model[0].weight.add_(1)
    torch.testing.assert_close(reg.penalty(), 0.5 * fisher["0.weight"].sum())


PAIR = r"expected batches \(inputs, targets\) of tensors"


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "expected a batch of samples or more, got none"),
        ([(batch(0), torch.zeros(0).long())], "expected a batch of samples or more, got none"),
        ([batch(3)], f"{PAIR}.* got Tensor"),
        ([(batch(3),)], f"{PAIR}.* got tuple"),
        ([{"x": batch(3)}], f"{PAIR}.* got dict"),
        ([(batch(3), 1)], f"{PAIR}.* got tuple"),
        ([(batch(3), torch.zeros(2).long())], r"as many targets as inputs .* \(3, 4\), \(2,\)"),
    ],
    ids=["none", "empty", "no pair", "one", "dict", "number", "lengths"],
)
def test_batches_that_are_none_raise(batches, message):
    with pytest.raises(ConfigurationError, match=f"diagonal_fisher: .*{message}"):
        rz.diagonal_fisher(mlp(), batches, cross_entropy)


def test_a_loss_of_each_sample_raises_with_the_cure():
    def loss(outputs, targets):
        return mse_loss(outputs, outputs * 0, reduction="none")

    with pytest.raises(ConfigurationError, match=r"a scalar .* got shape \(1, 2\); use its mean"):
        rz.diagonal_fisher(mlp(), [labelled(3, 0)], loss)


def test_models_of_which_it_knows_nothing_raise():
    with pytest.raises(SelectionError, match="Sequential has no trainable parameter"):
        rz.diagonal_fisher(mlp().requires_grad_(False), [labelled(3, 0)], cross_entropy)
    with pytest.raises(ConfigurationError, match=r"expected a torch\.nn\.Module, got function"):
        rz.diagonal_fisher(labelled, [labelled(3, 0)], cross_entropy)
    with pytest.raises(RegimeError, match=r"nn\.DataParallel runs copies"):
        rz.diagonal_fisher(nn.DataParallel(mlp()), [labelled(3, 0)], cross_entropy)
