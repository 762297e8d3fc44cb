"""Several threads that share one model: an error where they train, nothing where they evaluate."""

import copy
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from attach.helpers import batch, branches, mlp, per_sample
from regularizers.errors import CollectionError, RegimeError, RegularizersError

SEVERAL = "of several threads were recorded.*give each thread a model.*or hold one lock"


def in_thread(work: Callable[[], object]) -> object:
    """Return what `work` returned in a thread of its own, or the library's error it raised."""
    (result,) = in_threads([work])
    return result


def in_threads(works: list[Callable[[], object]]) -> list[object]:
    results: list[object] = [None] * len(works)

    def run(n: int) -> None:
        try:
            results[n] = works[n]()
        except RegularizersError as error:
            results[n] = error

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return results


def attached(model: nn.Module | None = None, **options) -> tuple[nn.Module, rz.Regularization]:
    model = mlp() if model is None else model
    return model, rz.Regularization(model, [rz.activity(rz.L1(1.0), where="1")], **options)


def by_hand(model: nn.Module, x: Tensor) -> Tensor:
    return per_sample(torch.tanh(model[0](x)))


@pytest.mark.parametrize("rows", [6, 9000])
def test_forwards_of_two_threads_are_not_added_up(rows):
    model, reg = attached()
    x = batch(rows)
    in_thread(lambda: model(x))
    model(x)
    with pytest.raises(CollectionError, match=SEVERAL):
        reg.penalty()
    model(x)  # afresh
    torch.testing.assert_close(reg.penalty(), by_hand(model, x))


def test_a_forward_of_another_thread_is_not_collected():
    model, reg = attached()
    in_thread(lambda: model(batch()))
    with pytest.raises(CollectionError, match="or those of another thread than the one that colle"):
        reg.penalty()
    model(batch())
    reg.penalty()


def test_both_threads_of_a_race_raise():
    model, reg = attached()
    both = threading.Barrier(2, timeout=30)

    def train():
        model(batch())
        both.wait()
        return reg.penalty()

    assert all(isinstance(result, CollectionError) for result in in_threads([train, train]))


def test_a_thread_in_the_middle_of_a_forward_is_noticed():
    """The second runs while the first is within its forward."""
    model, reg = branches()
    results = []

    def within(*_: object) -> None:
        if not results:
            results.append(None)
            results[0] = in_thread(lambda: model(batch()) is not None and reg.penalty())

    model.left.register_forward_hook(within)
    model(batch())
    assert isinstance(results[0], CollectionError)
    with pytest.raises(CollectionError):
        reg.penalty()


def test_a_site_that_another_thread_calls_by_itself():
    model, reg = branches()
    called = []

    def within(*_: object) -> None:
        if not called:
            called.append(True)
            in_thread(lambda: model.right(batch()))

    model.left.register_forward_hook(within)
    model(batch())
    with pytest.raises(CollectionError, match=SEVERAL):
        reg.penalty()


def test_one_thread_after_the_other_is_exact():
    model, reg = attached()
    x = batch()

    def train():
        model(x)
        return reg.penalty()

    for value in (in_thread(train), train(), in_thread(train)):
        torch.testing.assert_close(value, by_hand(model, x))


def test_one_lock_is_enough():
    model, reg = attached()
    lock = threading.Lock()

    def train(x: Tensor) -> Tensor:
        with lock:
            model(x)
            return reg.penalty()

    xs = [batch(seed=seed) for seed in range(6)]
    values = in_threads([lambda x=x: train(x) for x in xs])
    for x, value in zip(xs, values, strict=True):
        torch.testing.assert_close(value, by_hand(model, x))


def test_each_thread_has_its_own_copy():
    model, _ = attached()

    def train():
        own, reg = attached(copy.deepcopy(model))
        own(batch())
        return reg.penalty()

    for value in in_threads([train, train]):
        torch.testing.assert_close(value, by_hand(model, batch()))


def test_evaluation_in_threads_is_allowed():
    model, reg = attached()
    model.eval()
    in_threads([lambda: model(batch()), lambda: model(batch())])
    model.train()
    in_thread(lambda: torch.no_grad()(model)(batch()))  # which is said in each thread
    model(batch())
    torch.testing.assert_close(reg.penalty(), by_hand(model, batch()))


def test_a_forward_that_raised_in_another_thread_leaves_nothing():
    class Fails(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if x.isnan().any():
                raise ValueError("not a number")
            return x

    model, reg = attached(nn.Sequential(*mlp(), Fails()))

    def failing() -> None:
        with pytest.raises(ValueError, match="not a number"):
            model(batch() * torch.nan)

    in_thread(failing)
    model(batch())
    torch.testing.assert_close(reg.penalty(), by_hand(model, batch()))


def test_a_backward_pass_in_another_thread_repeats_forwards_without_recording():
    model, reg = attached()
    x = batch()
    value = checkpoint(model, x, use_reentrant=False).sum() + reg.penalty()
    in_thread(value.backward)
    expected = torch.autograd.grad(model(x).sum() + by_hand(model, x), list(model.parameters()))
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    torch.testing.assert_close(reg.penalty(), by_hand(model, x))


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("whole", [True, False])
def test_compiled(whole):
    model, reg = attached()
    if whole:
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    else:
        model[1].compile(backend="aot_eager", fullgraph=True)
        compiled = model
    x = batch()
    for _ in range(2):
        compiled(x)
        torch.testing.assert_close(reg.penalty(), by_hand(model, x))
    in_thread(lambda: compiled(x))
    compiled(x)
    with pytest.raises(CollectionError, match=SEVERAL):
        reg.penalty()
    in_thread(lambda: compiled(x))
    with pytest.raises(CollectionError, match=SEVERAL):
        reg.penalty()
    compiled(x)
    torch.testing.assert_close(reg.penalty(), by_hand(model, x))


# inject


class Meet(torch.autograd.Function):
    """The identity, whose backward passes wait for each other."""

    @staticmethod
    def forward(ctx, x, barrier):
        ctx.barrier = barrier
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        ctx.barrier.wait(timeout=30)
        return gradient, None


def gradients(model: nn.Module, x: Tensor, scale: float) -> tuple[Tensor, ...]:
    """Return what a scaled loss has by hand, past the site."""
    loss = model[2](torch.tanh(model[0](x))).sum() + by_hand(model, x)
    return torch.autograd.grad(scale * loss, list(model.parameters()))


@pytest.mark.parametrize("scales", [(2.0, 3.0), (2.0, 2.0)])
def test_two_backward_passes_at_once_do_not_mix_their_scales(scales):
    """One of them is exact; the other says why it is not."""
    model, reg = attached(delivery="inject")
    armed, met = threading.Barrier(2), threading.Barrier(2)

    def train(n: int) -> object:
        y = Meet.apply(model(batch()), met)
        loss = scales[n] * reg.scale_from(y.sum())
        armed.wait(timeout=30)
        try:
            return torch.autograd.grad(loss, list(model.parameters()))
        except RegimeError as error:
            met.wait(timeout=30)
            return error

    results = in_threads([lambda: train(0), lambda: train(1)])
    (refused,) = [result for result in results if isinstance(result, Exception)]
    assert "two backward passes, of two threads, go through scale_from at once" in str(refused)
    (other,) = [n for n, result in enumerate(results) if not isinstance(result, Exception)]
    torch.testing.assert_close(results[other], gradients(model, batch(), scales[other]))


def test_a_loss_made_while_another_backward_pass_runs_leaves_its_scale():
    model, reg = attached(delivery="inject")
    x = batch()

    class Between(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            in_thread(lambda: reg.scale_from(model(x).sum()))
            return gradient

    loss = 2 * reg.scale_from(Between.apply(model(x)).sum())
    actual = torch.autograd.grad(loss, list(model.parameters()))
    torch.testing.assert_close(actual, gradients(model, x, 2.0))


def test_after_a_backward_pass_that_raised_the_next_is_exact():
    model, reg = attached(delivery="inject")
    x = batch()

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise ValueError("here")

    waiting = 3 * reg.scale_from(model(x).sum())
    with pytest.raises(ValueError, match="here"):
        (5 * reg.scale_from(Fails.apply(model(x)).sum())).backward()
    with pytest.raises(RegimeError, match="the scale of the loss is not known"):
        model(x).sum().backward()
    actual = torch.autograd.grad(waiting, list(model.parameters()))
    torch.testing.assert_close(actual, gradients(model, x, 3.0))


def test_a_backward_pass_within_another_has_its_scale():
    model, reg = attached(delivery="inject")
    x = batch()
    model.zero_grad()
    y = checkpoint(model[:2], x.clone().requires_grad_(), use_reentrant=True)
    (4 * reg.scale_from(model[2](y).sum())).backward()
    for parameter, gradient in zip(model.parameters(), gradients(mlp(), x, 4.0), strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_two_backward_passes_of_one_thread_within_each_other():
    model, reg = attached(delivery="inject")
    x = batch()

    class Within(torch.autograd.Function):
        @staticmethod
        def forward(ctx, y):
            return y.clone()

        @staticmethod
        def backward(ctx, gradient):
            with torch.enable_grad():
                (3 * reg.scale_from(model(x).sum())).backward()
            return gradient

    model.zero_grad()
    (3 * reg.scale_from(Within.apply(model(x)).sum())).backward()
    for parameter, gradient in zip(model.parameters(), gradients(mlp(), x, 3.0), strict=True):
        torch.testing.assert_close(parameter.grad, 2 * gradient)
