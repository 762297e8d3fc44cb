"""From what a module returned to the tensor that is penalised."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

import regularizers as rz
from regularizers.errors import OutputError


class Returns(nn.Module):
    """The root of a model whose site, "site", returns what `make` makes of the input."""

    def __init__(self, make) -> None:
        super().__init__()
        self.site = Made(make)

    def forward(self, x: Tensor) -> object:
        return self.site(x)


class Made(nn.Module):
    def __init__(self, make) -> None:
        super().__init__()
        self.make = make

    def forward(self, x: Tensor) -> object:
        return self.make(x)


@dataclass
class Pair:
    hidden: Tensor
    extra: Tensor | None = None


def penalty_of(make, **options) -> tuple[Tensor, Tensor]:
    """Return the penalty of the site's output for an input of ones, and the input's gradient."""
    model = Returns(make)
    reg = rz.Regularization(model, [rz.activity(rz.L2Squared(1.0), where="site", **options)])
    x = torch.ones(2, 3, requires_grad=True)
    model(x)
    penalty = reg.penalty()
    return penalty, torch.autograd.grad(penalty, x)[0]


@pytest.mark.parametrize(
    ("make", "select"),
    [
        (lambda x: (x, 2 * x), 1),
        (lambda x: (x, 2 * x), -1),
        (lambda x: [x, 2 * x], 1),
        (lambda x: {"loss": x.sum(), "hidden": 2 * x}, "hidden"),
        (lambda x: Pair(hidden=2 * x), "hidden"),
        (lambda x: Pair(hidden=x, extra=2 * x), lambda output: output.extra),
        (lambda x: (x, {"deep": [None, 2 * x]}), lambda output: output[1]["deep"][1]),
        (lambda x: BaseModelOutput(last_hidden_state=2 * x), "last_hidden_state"),
        (lambda x: BaseModelOutput(last_hidden_state=2 * x), 0),
        (lambda x: BaseModelOutput(x, hidden_states=(x, 2 * x)), lambda o: o.hidden_states[1]),
        (lambda x: x, lambda output: 2 * output),
    ],
)
def test_select_by_index_key_attribute_or_function(make, select):
    penalty, gradient = penalty_of(make, select=select)
    # of 2x, per sample: 3 units of 4; its slope is 8x, over two samples
    assert penalty.item() == 12
    assert torch.equal(gradient, torch.full((2, 3), 4.0))


def test_a_tensor_needs_no_select():
    penalty, gradient = penalty_of(lambda x: 2 * x)
    assert penalty.item() == 12
    assert torch.equal(gradient, torch.full((2, 3), 4.0))


def test_a_scalar_output_is_a_batch_of_one():
    penalty, gradient = penalty_of(lambda x: x.sum())
    assert penalty.item() == 36
    assert torch.equal(gradient, torch.full((2, 3), 12.0))


def test_an_empty_batch_is_zero():
    penalty, gradient = penalty_of(lambda x: x[:0])
    assert penalty.item() == 0
    assert torch.equal(gradient, torch.zeros(2, 3))


STRUCTURES = [
    (lambda x: (x, None), r"tuple\(Tensor\[2, 3\] float32, None\)"),
    (lambda x: {"hidden": x, "n": 3}, r"dict\(hidden=Tensor\[2, 3\] float32, n=int\)"),
    (lambda x: Pair(x), r"Pair\(hidden=Tensor\[2, 3\] float32, extra=None\)"),
    (
        lambda x: BaseModelOutput(x),
        r"BaseModelOutput\(last_hidden_state=Tensor\[2, 3\] float32\)",
    ),
    (lambda x: [[x, (x.double(),)]], r"list\(list\(Tensor\[2, 3\] float32, tuple\(Tensor.*64\)"),
    (lambda x: None, "got None"),
]


@pytest.mark.parametrize(("make", "structure"), STRUCTURES)
def test_an_output_that_is_no_tensor_raises_and_is_shown(make, structure):
    with pytest.raises(OutputError, match=rf"^site: expected a tensor.*{structure}.*select="):
        penalty_of(make)


@pytest.mark.parametrize(
    ("make", "select", "message"),
    [
        (lambda x: (x, x), 2, r"select=2 finds nothing.*tuple\(Tensor\[2, 3\].*IndexError"),
        (lambda x: {"a": x}, "b", r"select='b' finds nothing.*dict\(a=Tensor.*KeyError"),
        (lambda x: Pair(x), "logits", r"select='logits' finds nothing.*Pair\(hidden=.*Attribute"),
        (lambda x: BaseModelOutput(x), "hidden_states", "select='hidden_states' finds nothing"),
        (lambda x: Pair(x), 0, r"select=0 finds nothing.*Pair\("),
        (lambda x: (x, None), 1, r"expected a tensor, got tuple\(Tensor\[2, 3\] float32, None\)"),
        (lambda x: (x, x), lambda output: output, r"expected a tensor, got tuple\("),
        (
            lambda x: (x, x.long()),
            1,
            r"expected a tensor of a real floating type, got Tensor\[2, 3\] int64",
        ),
    ],
)
def test_a_select_that_finds_no_floating_tensor_raises(make, select, message):
    with pytest.raises(OutputError, match=f"^site: {message}"):
        penalty_of(make, select=select)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64, torch.uint8])
def test_an_output_that_is_not_real_floating_raises(dtype):
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(OutputError, match=rf"^site: .*real floating type, got .*\] {name};"):
        penalty_of(lambda x: x.detach().to(dtype))


def test_an_output_error_is_a_type_error():
    with pytest.raises(TypeError):
        penalty_of(lambda x: None)


def test_nothing_is_asked_of_an_output_in_evaluation():
    model = Returns(lambda x: None)
    rz.Regularization(model, [rz.activity(rz.L1(1.0), where="site")])
    model.eval()
    assert model(torch.ones(2, 3)) is None
