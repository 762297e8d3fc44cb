"""A strength with a target finds the same in every way of training as in the plain one."""

import contextlib

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from attach.helpers import batch, law_of
from regularizers.errors import RegimeError

KEY = "coding/activity/L1"


class Coder(nn.Module):
    """An autoencoder whose first half may run under a checkpoint."""

    def __init__(self, reentrant: bool | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Linear(4, 12).double()
        self.coding = nn.ReLU()
        self.decoder = nn.Linear(12, 4).double()
        self.reentrant = reentrant

    def encode(self, x):
        return self.coding(self.encoder(x))

    def forward(self, x):
        if self.reentrant is None:
            return self.decoder(self.encode(x))
        x = x.requires_grad_(self.reentrant)
        return self.decoder(checkpoint(self.encode, x, use_reentrant=self.reentrant))


def trained(model, forward=None, *, delivery="collect", scaler=None, steps=25):
    """Train, and return the law as it stands, with the weights."""
    forward = model if forward is None else forward
    rules = [rz.activity(rz.L1(rz.TargetActive(3)), where="coding")]
    reg = rz.Regularization(model, rules, delivery=delivery)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    reg.attach(optimizer)
    for step in range(steps):
        x = batch(64, seed=step)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(forward(x), x)
        loss = loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
    return law_of(reg, KEY), [parameter.detach().clone() for parameter in model.parameters()]


@pytest.fixture(scope="module")
def expected():
    return trained(Coder())


def assert_same(actual, expected, tolerance=1e-9, steps=25):
    law, weights = actual
    other, others = expected
    assert law.looked_on == other.looked_on == steps
    for name in ("strength", "integral"):
        assert getattr(law, name) == pytest.approx(getattr(other, name), rel=tolerance), name
    assert law.measured.mean == pytest.approx(other.measured.mean, rel=tolerance)
    assert law.scale.mean == pytest.approx(other.scale.mean, rel=tolerance)
    for weight, by_hand in zip(weights, others, strict=True):
        torch.testing.assert_close(weight, by_hand, rtol=tolerance, atol=tolerance)


def test_a_non_reentrant_checkpoint_counts_once(expected):
    assert_same(trained(Coder(reentrant=False)), expected)


@pytest.mark.parametrize("reentrant", [None, False, True])
def test_inject(reentrant, expected):
    assert_same(trained(Coder(reentrant), delivery="inject"), expected)


@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_what_a_checkpoint_repeats_counts_once(delivery):
    class Twice(Coder):
        def forward(self, x):
            plain = self.encode(x)
            return self.decoder(plain + checkpoint(self.encode, x.exp(), use_reentrant=False))

    model, x = Twice(), batch(64)
    rules = [rz.activity(rz.L1(rz.TargetActive(3)), where="coding")]
    reg = rz.Regularization(model, rules, delivery=delivery)
    loss = model(x).square().mean()
    (loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)).backward()
    reg.step()
    active = [(model.encoder(y) > 0).sum().item() / 64 for y in (x, x.exp())]
    assert law_of(reg, KEY).measured.mean == sum(active) / 2
    assert active[0] != active[1]


def test_a_scaled_loss(expected):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    assert_same(trained(Coder(), scaler=scaler), expected)


def test_a_step_that_the_scaler_skips_is_no_step():
    model = Coder()
    reg = rz.Regularization(model, [rz.activity(rz.L1(rz.TargetActive(3)), where="coding")])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    reg.attach(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    for times in (1.0, float("inf"), 1.0):
        x = batch(64)
        loss = times * nn.functional.mse_loss(model(x), x) + reg.penalty()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    assert reg._control.steps == 2
    law = law_of(reg, KEY)
    assert law.looked_on == 1  # in the other step the overflow is still in the sum
    assert 0 < law.scale.mean < 1e3


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled(backend, expected):
    model = Coder()
    compiled = torch.compile(model, backend=backend, fullgraph=True)
    with torch._dynamo.config.patch(error_on_recompile=True):
        assert_same(trained(model, compiled), expected)


@pytest.mark.usefixtures("compiler")
def test_compiled_by_inductor(expected):
    model = Coder()
    assert_same(trained(model, torch.compile(model)), expected)


@pytest.mark.usefixtures("compiler")
def test_compiled_with_inject_says_what_to_use():
    model = Coder()
    with pytest.raises((RegimeError, torch._dynamo.exc.Unsupported), match="target"):
        trained(model, torch.compile(model, backend="eager", fullgraph=True), delivery="inject")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_close(dtype, expected):
    model = Coder().to(dtype)

    def forward(x):
        return model(x.to(dtype)).double()

    law, _ = trained(model, forward)
    assert law.measured.mean == pytest.approx(expected[0].measured.mean, rel=0.05)
    assert law.scale.mean == pytest.approx(expected[0].scale.mean, rel=0.05)


class Unsaved(nn.Module):
    """A ReLU whose output autograd does not save, so that it may be changed in place."""

    def forward(self, x):
        return torch.relu(x) * 1.0


class Changing(Coder):
    """Changes the output of the site in place, or makes a new tensor."""

    def __init__(self, in_place):
        super().__init__()
        self.coding, self.in_place = Unsaved(), in_place

    def forward(self, x):
        y = self.encode(x)
        if self.in_place:
            y.mul_(3.0).clamp_(max=0.5)
        else:
            y = (y * 3.0).clamp(max=0.5)
        return self.decoder(y)


def test_the_output_may_be_changed_in_place():
    """The penalty reads what the site returned, in steps that measure gradients and in others."""
    changed, new = [trained(Changing(in_place), steps=45) for in_place in (True, False)]
    assert_same(changed, new, steps=45)


def test_nothing_of_a_run_of_fake_tensors_is_left_for_the_next():
    """Tools that estimate memory train on tensors without values."""

    before = trained(Coder(), steps=12)
    with FakeTensorMode():
        model = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 4))
        reg = rz.Regularization(model, [rz.activity(rz.L1(rz.TargetActive(3)), where="1")])
        x = torch.randn(8, 4)
        for _ in range(2):
            (nn.functional.mse_loss(model(x), x) + reg.penalty()).backward()
            with contextlib.suppress(DataDependentOutputException):
                reg.step()
    assert_same(trained(Coder(), steps=12), before, steps=12)


def test_an_output_that_autograd_saves_may_not_be_changed_either_way():
    class Saved(Coder):
        def forward(self, x):
            y = self.encode(x)
            y += 0.0
            return self.decoder(y)

    x = batch(64, seed=0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        nn.functional.mse_loss(Saved()(x), x).backward()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        trained(Saved(), steps=1)


@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_a_packed_sequence_is_its_valid_steps(delivery):
    """Against the same sequences padded, with a mask and a loss that counts valid steps."""
    lengths = torch.tensor([5, 3, 2])
    x = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    valid = torch.arange(5) < lengths[:, None]
    laws = []
    for packed in (True, False):
        torch.manual_seed(0)
        rnn = nn.RNN(4, 6, batch_first=True, nonlinearity="relu")
        rules = [rz.activity(rz.L1(rz.TargetActive(2)), where="", batch_axis=(0, 1))]
        reg = rz.Regularization(rnn, rules, delivery=delivery)
        if packed:
            y = rnn(pack_padded_sequence(x, lengths, batch_first=True))[0].data
        else:
            with reg.mask(valid, where=""):
                y = rnn(x)[0][valid]
        loss = (y - 1).square().mean()
        (loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)).backward()
        reg.step()
        laws.append(law_of(reg, next(iter(reg.targets()))))
    assert laws[0].measured.mean == pytest.approx(laws[1].measured.mean, rel=1e-6)
    assert laws[0].scale.mean == pytest.approx(laws[1].scale.mean, rel=1e-5)
