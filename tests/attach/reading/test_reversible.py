"""A reversible block: its sites run without gradients in the forward, and again in the backward."""

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import per_sample
from regularizers.errors import CollectionError, RegimeError


class Reverse(torch.autograd.Function):
    """y1 = x1 + f(x2), y2 = x2 + g(y1), of which nothing is saved but y."""

    @staticmethod
    def forward(ctx, x, f, g, *_):
        x1, x2 = x.chunk(2, dim=1)
        y1 = x1 + f(x2)
        y2 = x2 + g(y1)
        ctx.f, ctx.g = f, g
        y = torch.cat([y1, y2], dim=1)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, gradient):
        y1, y2 = ctx.saved_tensors[0].detach().chunk(2, dim=1)
        d1, d2 = gradient.chunk(2, dim=1)
        with torch.enable_grad():
            y1 = y1.requires_grad_()
            gy = ctx.g(y1)
        gy.backward(d2)
        d1 = d1 + y1.grad
        x2 = (y2 - gy).detach().requires_grad_()
        with torch.enable_grad():
            fx = ctx.f(x2)
        fx.backward(d1)
        return torch.cat([d1, d2 + x2.grad], dim=1), *[None] * 6


class RevNet(nn.Module):
    def __init__(self, *, reversible: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.f, self.g = (nn.Sequential(nn.Linear(2, 2), nn.Tanh()) for _ in range(2))
        self.stem, self.head = nn.Linear(4, 4), nn.Linear(4, 1)
        self.reversible = reversible
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        if self.reversible:
            weights = [*self.f.parameters(), *self.g.parameters()]
            return self.head(Reverse.apply(x, self.f, self.g, *weights))
        x1, x2 = x.chunk(2, dim=1)
        y1 = x1 + self.f(x2)
        return self.head(torch.cat([y1, x2 + self.g(y1)], dim=1))


def x_of(rows: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(rows, 4, dtype=torch.float64, generator=generator)


def expected(where: list[str], penalty, scale: float = 1.0) -> list[Tensor]:
    """Return the gradients of a plain network, whose penalties are written out."""
    model = RevNet(reversible=False)
    outputs = {}
    for name in where:
        model.get_submodule(name).register_forward_hook(
            lambda _, __, y, name=name: outputs.update({name: y})
        )
    loss = model(x_of()).square().mean()
    loss = scale * (loss + sum(penalty(outputs[name]) for name in where))
    return list(torch.autograd.grad(loss, list(model.parameters())))


def squares(x: Tensor) -> Tensor:
    return 0.5 * x.square().sum() / len(x)


@pytest.mark.parametrize(
    ("penalty", "by_hand"),
    [(rz.L1(1.0), per_sample), (rz.L2Squared(0.5), squares)],
    ids=["L1", "L2Squared"],
)
@pytest.mark.parametrize("where", [["f.1"], ["f.1", "g.1"], ["stem", "g.0", "f.0"]], ids=str)
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_inject_is_exact(penalty, by_hand, where, scale):
    model = RevNet(reversible=True)
    reg = rz.Regularization(model, [rz.activity(penalty, where=where)], delivery="inject")
    for _ in range(2):
        model.zero_grad()
        (scale * reg.scale_from(model(x_of()).square().mean())).backward()
        for parameter, gradient in zip(
            model.parameters(), expected(where, by_hand, scale), strict=True
        ):
            torch.testing.assert_close(parameter.grad, gradient)


@pytest.mark.parametrize("where", [["f.1"], ["stem", "g.1"]], ids=str)
def test_collect_says_inject_at_the_collection(where):
    model = RevNet(reversible=True)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where=where)])
    model(x_of())
    with pytest.raises(
        CollectionError,
        match=rf"^{where[-1]}: .*gradients disabled; within a reversible.*delivery=\"inject\"",
    ):
        reg.penalty()


def test_collect_says_inject_where_the_model_itself_is_not_called():
    model = RevNet(reversible=True)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="f.1")])
    model.forward(x_of())
    with pytest.raises(CollectionError, match=r"f\.1 ran without gradients: .*delivery=\"inject\""):
        reg.penalty()


def test_collect_says_inject_in_the_backward():
    """Where the site has fired before, as in a first step that is not reversible."""
    model = RevNet(reversible=False)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="f.1")])
    (model(x_of()).mean() + reg.penalty()).backward()
    model.reversible = True
    loss = model(x_of()).mean() + reg.penalty()
    with pytest.raises(RegimeError, match=r"^f\.1: .*a reversible block .*delivery=\"inject\""):
        loss.backward()


def test_without_gradients_the_message_names_them_too():
    model = RevNet(reversible=False)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="f.1")])
    with torch.no_grad():
        model(x_of())
    model.head(torch.ones(1, 4, dtype=torch.float64))
    with pytest.raises(CollectionError, match=r"f\.1 ran without gradients"):
        reg.penalty()
