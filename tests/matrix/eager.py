"""Regimes of plain PyTorch: several forwards, several backwards, several ways to ask."""

import threading
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from matrix.judge import Readings, Regime, Step, backward, gradients, says
from matrix.methods import Method
from matrix.network import activity_loss, batch, batches, build, explicit, task
from matrix.penalties import Case
from matrix.training import Steps, inject_may_say, training


def twice(method: Method, model: nn.Module, loss: Tensor) -> Readings:
    loss.backward(retain_graph=True)
    return backward(method, model, loss)


def _scaled(method: Method, model: nn.Module, loss: Tensor) -> Readings:
    return backward(method, model, 64 * loss)


def asked(method: Method, model: nn.Module, loss: Tensor) -> Readings:
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def _elsewhere(method: Method, model: nn.Module, loss: Tensor) -> Readings:
    thread = threading.Thread(target=loss.backward)
    thread.start()
    thread.join()
    return gradients(model) | method.value_of(loss)


def accumulation(micro_batches: int) -> Steps:
    """Return a loop of steps with a forward and a backward for each micro-batch."""

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build()
        attached = method.attach(model, case)
        for x in batches():
            for part in x.chunk(micro_batches):
                attached.begin()
                (attached.loss(task(model(part))) / micro_batches).backward()
                (activity_loss(twin, part, case) / micro_batches).backward()
            yield Step(gradients(model), gradients(twin))

    return steps


def several_forwards_one_loss(method: Method, case: Case) -> Iterator[Step]:
    model, twin = build()
    attached = method.attach(model, case)
    for x in batches():
        attached.begin()
        loss = attached.loss(task(model(x[:2])) + task(model(x[2:])))
        by_hand = activity_loss(twin, x[:2], case) + activity_loss(twin, x[2:], case)
        yield Step(backward(method, model, loss), backward(method, twin, by_hand))


def two_losses_of_one_forward(method: Method, case: Case) -> Iterator[Step]:
    """The penalty is part of the first loss."""
    model, twin = build()
    attached = method.attach(model, case)
    for x in batches():
        attached.begin()
        output = model(x)
        attached.loss(task(output)).backward(retain_graph=True)
        output.abs().sum().backward()
        by_hand = activity_loss(twin, x, case) + explicit(twin, x)[0].abs().sum()
        by_hand.backward()
        yield Step(gradients(model), gradients(twin))


def two_losses_of_two_forwards(method: Method, case: Case) -> Iterator[Step]:
    """Both forwards come before both backwards, and the losses weigh differently."""
    model, twin = build()
    attached = method.attach(model, case)
    for x in batches():
        losses = []
        for part in x.chunk(2):
            attached.begin()
            losses.append(attached.loss(task(model(part))))
        for weight, loss in zip((1, 3), losses, strict=True):
            (weight * loss).backward()
        first, second = [activity_loss(twin, part, case) for part in x.chunk(2)]
        (first + 3 * second).backward()
        yield Step(gradients(model), gradients(twin))


def one_backward(method: Method, case: Case) -> Iterator[Step]:
    """Two forwards and their losses, which weigh differently in one backward."""
    model, twin = build()
    attached = method.attach(model, case)
    for x in batches():
        losses = []
        for part in x.chunk(2):
            attached.begin()
            losses.append(attached.loss(task(model(part))))
        first, second = [activity_loss(twin, part, case) for part in x.chunk(2)]
        (losses[0] + 3 * losses[1]).backward()
        (first + 3 * second).backward()
        yield Step(gradients(model), gradients(twin))


def two_regularizations(method: Method, case: Case) -> Iterator[Step]:
    model, twin = build()
    one, other = method.attach(model, case), method.attach(model, case)
    for x in batches():
        one.begin()
        other.begin()
        loss = other.loss(one.loss(task(model(x))))
        by_hand = activity_loss(twin, x, case, factor=2)
        yield Step(backward(method, model, loss), backward(method, twin, by_hand))


def double_backward(method: Method, case: Case) -> Iterator[Step]:
    """The squared norm of the gradient with respect to the input is part of the loss."""
    model, twin = build()
    attached = method.attach(model, case)

    def with_gradient_penalty(loss: Tensor, x: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(loss, x, create_graph=True)
        return loss + slope.square().sum()

    for x in batches():
        x.requires_grad_()
        attached.begin()
        loss = with_gradient_penalty(attached.loss(task(model(x))), x)
        by_hand = with_gradient_penalty(activity_loss(twin, x, case), x)
        loss.backward()
        by_hand.backward()
        yield Step(gradients(model), gradients(twin))


def pipeline_stage(method: Method, case: Case) -> Iterator[Step]:
    """The gradient of the output comes from elsewhere; the loss is never seen."""
    model, twin = build()
    attached = method.attach(model, case)
    for n in range(3):
        x = batch(n)
        attached.begin()
        output = model(x)
        received = output.detach().requires_grad_()
        (slope,) = torch.autograd.grad(3 * task(received), received)
        attached.backward_stage(output, slope, scale=3.0)
        (3 * activity_loss(twin, x, case)).backward()
        yield Step(gradients(model), gradients(twin))


def no_scale(method: Method, case: Case) -> Iterator[Step]:
    """The loss never passes `scale_from`."""
    model, twin = build()
    attached = method.attach(model, case)
    for x in batches():
        attached.begin()
        task(model(x)).backward()
        activity_loss(twin, x, case).backward()
        yield Step(gradients(model), gradients(twin))


def scale_of_an_earlier_backward(method: Method, case: Case) -> Iterator[Step]:
    """The first loss passes `scale_from`, the second does not."""
    model, twin = build()
    attached = method.attach(model, case)
    for n, x in enumerate(batches()):
        loss = task(model(x))
        (attached.loss(loss) if n == 0 else loss).backward()
        activity_loss(twin, x, case).backward()
        yield Step(gradients(model), gradients(twin))


def _inject(method: Method) -> bool:
    return method.injects


def _unscaled(method: Method, case: Case) -> object:
    return says("scale_from")


REGIMES = [
    Regime("eager", training()),
    Regime("view output", training(site="view")),
    Regime("identity output", training(site="identity")),
    Regime("Sigmoid producer", training(site="sigmoid")),
    Regime("module called three times", training(repeats=3)),
    Regime("shared weights", training(tied=True)),
    Regime("frozen producer", training(frozen=True)),
    Regime("loss times 64", training(differentiate=_scaled)),
    Regime("accumulation, 1 micro-batch", accumulation(1)),
    *[Regime(f"accumulation, {n} micro-batches", accumulation(n)) for n in (2, 4)],
    Regime("two forwards, one loss", several_forwards_one_loss),
    Regime(
        "two losses of one forward", two_losses_of_one_forward, must=inject_may_say("scale_from")
    ),
    Regime(
        "two losses of two forwards", two_losses_of_two_forwards, must=inject_may_say("scale_from")
    ),
    Regime("retain_graph, two backwards", training(differentiate=twice)),
    Regime("torch.autograd.grad", training(differentiate=asked)),
    Regime("two losses of one backward", one_backward, must=inject_may_say("scale_from")),
    Regime("backward in another thread", training(differentiate=_elsewhere)),
    Regime("two regularizations of one model", two_regularizations),
    Regime("double backward", double_backward, must=inject_may_say("collect")),
    Regime("pipeline stage", pipeline_stage),
    Regime("scale_from never called", no_scale, must=_unscaled, applies=_inject),
    Regime(
        "scale_from called once only",
        scale_of_an_earlier_backward,
        must=_unscaled,
        applies=_inject,
    ),
]
