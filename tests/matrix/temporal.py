"""Regimes of recurrent layers: penalties of what changes in time, padded and carried over."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from matrix.judge import Must, Regime, Step, backward, says
from matrix.methods import Method
from matrix.network import STEPS, task
from matrix.penalties import Case

ROWS, TIME, IN, WIDTH = 4, 6, 3, 4
LENGTHS = [3, 6, 1, 4]

Forward = Callable[["Net", Tensor], Tensor]


class Net(nn.Module):
    """A recurrent layer between two linear ones."""

    def __init__(self, make: type[nn.RNNBase], forward: Forward, **options: object) -> None:
        super().__init__()
        self.embed = nn.Linear(IN, WIDTH)
        self.rnn = make(WIDTH, WIDTH, **options)
        self.head = nn.Linear(WIDTH * (1 + self.rnn.bidirectional), 2)
        self._forward = forward

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self._forward(self, self.embed(x)))


def directly(net: Net, x: Tensor) -> Tensor:
    return net.rnn(x)[0]


def packed(net: Net, x: Tensor) -> Tensor:
    sequences = pack_padded_sequence(
        x, torch.tensor(LENGTHS), batch_first=net.rnn.batch_first, enforce_sorted=False
    )
    return pad_packed_sequence(net.rnn(sequences)[0], batch_first=net.rnn.batch_first)[0]


def in_two_windows(net: Net, x: Tensor) -> Tensor:
    axis = 1 if net.rnn.batch_first else 0
    first, second = x.split(TIME // 2, dim=axis)
    before, state = net.rnn(first)
    return torch.cat([before, net.rnn(second, state)[0]], dim=axis)


def checkpointed(net: Net, x: Tensor, *, reentrant: bool, run: Forward = directly) -> Tensor:
    return checkpoint(partial(run, net), x, use_reentrant=reentrant)


def mask(batch_first: bool) -> Tensor:
    valid = torch.arange(TIME) < torch.tensor(LENGTHS)[:, None]
    return valid if batch_first else valid.T


def even(case: Case, h: Tensor) -> Tensor:
    return case.formula(h[:, 1:] - h[:, :-1])


def uneven(case: Case, h: Tensor) -> Tensor:
    """Return the penalty of sequences of several lengths, read one by one."""
    changes = [s[1:n] - s[: n - 1] for s, n in zip(h, LENGTHS, strict=True)]
    if case.penalty.reduce != "batch_mean":
        return case.formula(torch.cat(changes))
    # a sequence of one step has no change, so it is no sample
    each = [case.formula(d[None]) for d in changes if len(d)]
    return sum(each) / len(each)


def windows(case: Case, h: Tensor) -> Tensor:
    return even(case, h[:, : TIME // 2]) + even(case, h[:, TIME // 2 :])


def windows_joined(case: Case, h: Tensor) -> Tensor:
    return even(case, h[:, : TIME // 2]) + even(case, h[:, TIME // 2 - 1 :])


def _nothing(reg: rz.Regularization, net: Net) -> AbstractContextManager[None]:
    return nullcontext()


def _around(reg: rz.Regularization, net: Net) -> AbstractContextManager[None]:
    return reg.mask(mask(net.rnn.batch_first), where="rnn")


def recurrent(
    by_hand: Callable[[Case, Tensor], Tensor] = even,
    *,
    forward: Forward = directly,
    make: type[nn.RNNBase] = nn.LSTM,
    around: Callable[[rz.Regularization, Net], AbstractContextManager[None]] = _nothing,
    until_backward: bool = True,
    prepare: Callable[[nn.Module], nn.Module] = lambda net: net,
    rule: dict[str, object] | None = None,
    **options: object,
):
    """Return a loop of several steps that penalises the changes of the states.

    Args:
        by_hand: from the states, batch first, to the penalty.
        forward: from the input of the recurrent layer to its states.
        make: the class of the layer.
        around: the context of the forward.
        until_backward: whether the context is left only after the backward pass.
        prepare: from the model to what is called.
        rule: options of the rule.
        options: of the layer.
    """

    def steps(method: Method, case: Case) -> Iterator[Step]:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = Net(make, forward, **options).double()
        twin = Net(make, _plain.get(forward, directly), **options).double()
        twin.load_state_dict(net.state_dict())
        one = rz.activity(rz.Temporal(case.penalty), where="rnn", **(rule or {}))
        reg = rz.Regularization(net, [one], delivery=method.delivery)
        called = prepare(net)
        for number in range(STEPS):
            generator = torch.Generator().manual_seed(number)
            x = torch.randn(ROWS, TIME, IN, generator=generator, dtype=torch.float64)
            if not net.rnn.batch_first:
                x = x.transpose(0, 1)
            with around(reg, net) as _:
                loss = task(called(x))
                loss = reg.scale_from(loss) if method.injects else loss + reg.penalty()
                actual = backward(method, net, loss) if until_backward else None
            actual = actual or backward(method, net, loss)
            seen: list[Tensor] = []
            handle = twin.rnn.register_forward_hook(
                lambda rnn, _inputs, output, seen=seen: seen.append(_states(rnn, output))
            )
            output = twin(x)
            handle.remove()
            h = torch.cat(seen, dim=1 if net.rnn.batch_first else 0)
            h = h if net.rnn.batch_first else h.transpose(0, 1)
            yield Step(actual, backward(method, twin, task(output) + by_hand(case, h)))

    return steps


_plain = {packed: packed, in_two_windows: in_two_windows}
"""Operations that the twin repeats; the others act on it directly."""


def _states(rnn: nn.RNNBase, output: tuple) -> Tensor:
    states = output[0]
    if isinstance(states, Tensor):
        return states
    return pad_packed_sequence(states, batch_first=rnn.batch_first)[0]


def _of_elements(case: Case) -> bool:
    kinds = (rz.L1, rz.L2Squared, rz.L2Norm, rz.L1L2, rz.ActivityRegularization)
    return isinstance(case.penalty, kinds)


def _of_states(case: Case) -> bool:
    with_axes = (rz.AR, rz.TAR, rz.Temporal, rz.GroupLasso, rz.TotalVariation, rz.Laplacian)
    return not isinstance(case.penalty, with_axes)


def _compiled(net: nn.Module) -> nn.Module:
    return torch.compile(net, backend="aot_eager")


def _reentrant(method: Method, case: Case) -> Must:
    return Must() if method.injects else says("rnn", 'delivery="inject"')


_REENTRANT = partial(checkpointed, reentrant=True)
_NON_REENTRANT = partial(checkpointed, reentrant=False)
_BY_INPUT = {"mask": lambda x, *_: mask(batch_first=True)}
_FIRST = {"batch_first": True}

REGIMES = [
    Regime(f"temporal, {name}", steps, applies=lambda method: method.ours, **options)
    for name, steps, options in [
        ("batch first", recurrent(**_FIRST), {"takes": _of_states}),
        ("time first", recurrent(), {"takes": _of_states}),
        ("GRU of two layers", recurrent(make=nn.GRU, num_layers=2), {"takes": _of_states}),
        ("bidirectional", recurrent(make=nn.RNN, bidirectional=True), {"takes": _of_states}),
        (
            "checkpoint",
            recurrent(forward=_NON_REENTRANT, **_FIRST),
            {"takes": _of_states},
        ),
        (
            "reentrant checkpoint",
            recurrent(forward=_REENTRANT, **_FIRST),
            {"takes": _of_states, "must": _reentrant},
        ),
        (
            "compile",
            recurrent(prepare=_compiled, **_FIRST),
            {"takes": _of_states, "compiles": True},
        ),
        ("PackedSequence", recurrent(uneven, forward=packed), {"takes": _of_elements}),
        (
            "PackedSequence, batch first",
            recurrent(uneven, forward=packed, **_FIRST),
            {"takes": _of_elements},
        ),
        ("mask around the forward", recurrent(uneven, around=_around), {"takes": _of_elements}),
        (
            "mask around the forward alone",
            recurrent(uneven, around=_around, until_backward=False, **_FIRST),
            {"takes": _of_elements},
        ),
        (
            "mask by a function",
            recurrent(uneven, rule=_BY_INPUT, **_FIRST),
            {"takes": _of_elements},
        ),
        (
            "mask around forward and backward, checkpoint",
            recurrent(uneven, around=_around, forward=_NON_REENTRANT, **_FIRST),
            {"takes": _of_elements},
        ),
        (
            "mask by a function, checkpoint",
            recurrent(uneven, rule=_BY_INPUT, forward=_NON_REENTRANT, **_FIRST),
            {"takes": _of_elements},
        ),
        (
            "mask by a function, compile",
            recurrent(uneven, rule=_BY_INPUT, prepare=_compiled, **_FIRST),
            {"takes": _of_elements, "compiles": True},
        ),
        (
            "two windows",
            recurrent(windows, forward=in_two_windows, **_FIRST),
            {"takes": _of_states},
        ),
        (
            "two windows, state carried over",
            recurrent(windows_joined, forward=in_two_windows, rule={"carry": True}, **_FIRST),
            {"takes": _of_states},
        ),
    ]
]
