"""Rules for the outputs of modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Never

from regularizers.attach.rules._measured import Weights
from regularizers.attach.rules._rule import Rule
from regularizers.errors import ConfigurationError
from regularizers.modules import Mask, Select, Wheres, described
from regularizers.penalties import AR, TAR, Penalty
from regularizers.penalties.arrays import Axes, Reduce
from regularizers.penalties.strength import StrengthLike


def activity(
    penalty: Penalty,
    where: Wheres,
    *,
    select: Select | None = None,
    reduce: Reduce | None = None,
    batch_axis: Axes | None = None,
    copy: bool = False,
    mask: Mask | None = None,
    carry: bool = False,
    optional: bool = False,
    shared: bool = False,
    weights: Weights | None = None,
    **unknown: Never,
) -> Rule:
    r"""Penalise the outputs of modules, in training mode with gradients enabled.

    Args:
        penalty: the penalty of each output. Its default reduction is `"batch_mean"`: summed over
            units, averaged over the batch.
        where: which modules: a name (`"encoder.act"`), a glob (`"encoder.*"`; `*` stays within one
            segment of a name, `**` crosses), a module type, a module, a predicate
            (module, name), or a list of these.
        select: the part of an output that is no tensor: an index, a key or attribute, or a
            function of the output. Recurrent layers need none: their sequence of states is taken.
        reduce: as in the penalty; say it in one place only.
        batch_axis: as in the penalty. None: axis 0 counts samples; recurrent layers and attention
            use the axis they were made with, and a target counts each step of their sequences as a
            sample. For another output of (batch, tokens, width) write `(0, 1)` to count tokens, or
            `(0,)` to count sequences.
        copy: keep a copy of the output if the gradient needs more than its signs, so the output
            may be changed in place after the module. Without a copy such a change raises.
        mask: a function of the module's inputs, of nothing else, that returns a boolean tensor over
            the leading axes of the output: True where it counts. A mask that the inputs do not
            hold goes around the forward: `with reg.mask(mask, where=...)`.
        carry: for temporal penalties: the initial state of a recurrent layer joins the first
            difference, as for consecutive windows of one text.
        optional: allow that the site never fires, like an expert that gets no tokens; otherwise a
            collection raises until it has fired. The processes of a `process_group` must still
            record it equally often.
        unknown: any other option raises.
        shared: one strength with a target for all sites of the rule, which together reach it.
        weights: w, which multiply the penalty of each unit, s·Σ wⱼ·f(xᵢⱼ): a tensor that
            broadcasts to the units of one sample (all axes of the output but those of samples), or
            a function of the model that returns one, called in each forward, such as
            `lambda model: model.decoder.weight.norm(dim=0)`. Not negative: read at every forward
            on a CPU, at the first one elsewhere. For sums over elements. Both the output and the
            weights get their gradient. Denominators stay the number of elements or samples, and a
            target measures the output itself.

    Returns:
        A rule for `Regularization`.

    Raises:
        ConfigurationError: there is no penalty or no `where`, two reductions contradict, the mask
            is no function, `carry` is set for a penalty that is not temporal, `weights` are given
            to a penalty that is no sum over elements, or an option is unknown. Weights that do not
            fit the output raise at the forward.

    Example:
        >>> import regularizers as rz
        >>> rz.activity(rz.L1(1e-3), where="encoder.act").where
        'encoder.act'
        >>> import torch
        >>> act = torch.nn.ReLU()
        >>> rule = rz.activity(rz.L1(1.0), where="", weights=torch.tensor([1.0, 10.0]))
        >>> reg = rz.Regularization(act, [rule])
        >>> _ = act(torch.tensor([[1.0, 2.0], [3.0, 0.0]]))
        >>> reg.penalty().item()  # the mean over two samples of 21 and 3
        12.0
    """
    _refuse("activity", where, unknown)
    return Rule(
        "activity",
        penalty,
        where,
        select,
        reduce,
        batch_axis,
        copy,
        mask=mask,
        carry=carry,
        optional=optional,
        shared=shared,
        weights=weights,
    )


def ar(
    alpha: StrengthLike,
    where: Wheres,
    *,
    select: Select | None = None,
    batch_axis: Axes | None = None,
    copy: bool = False,
    mask: Mask | None = None,
    optional: bool = False,
    shared: bool = False,
    **unknown: Never,
) -> Rule:
    r"""Penalise the size of states, α·mean(h²): activation regularization.

    .. math:: \alpha\, \overline{h^2}

    The published language model penalises the output after dropout, so `where` is the dropout.

    Args:
        alpha: α, finite and not negative; 2 in the publication.
        where: which modules, as in `activity`.
        select: as in `activity`.
        batch_axis: as in `activity`.
        copy: as in `activity`.
        mask: as in `activity`.
        optional: as in `activity`.
        shared: as in `activity`.
        unknown: any other option raises.

    Returns:
        A rule for `Regularization`, which is `activity(AR(alpha), where)`.

    Raises:
        ConfigurationError: as `activity`.

    Example:
        >>> import regularizers as rz
        >>> str(rz.ar(2.0, where="drop"))
        "activity(AR(2.0), where='drop')"

    Source: Merity, McCann and Socher, "Revisiting activation regularization for language RNNs",
    2017, `arXiv:1708.01009 <https://arxiv.org/abs/1708.01009>`__.
    """
    _refuse("ar", where, unknown, instead="activity(L2Squared(alpha), where, reduce=...)")
    return activity(
        AR(alpha),
        where,
        select=select,
        batch_axis=batch_axis,
        copy=copy,
        mask=mask,
        optional=optional,
        shared=shared,
    )


def tar(
    beta: StrengthLike,
    where: Wheres,
    *,
    time_axis: int | None = None,
    select: Select | None = None,
    batch_axis: Axes | None = None,
    copy: bool = False,
    mask: Mask | None = None,
    carry: bool = False,
    optional: bool = False,
    shared: bool = False,
    **unknown: Never,
) -> Rule:
    r"""Penalise how states change, β·mean((h[t+1] − h[t])²): temporal activation regularization.

    .. math:: \beta\, \overline{(h_{t+1} - h_t)^2}

    The published language model penalises the last recurrent layer itself, before dropout.

    Args:
        beta: β, finite and not negative; 1 in the publication.
        where: which modules, as in `activity`. Recurrent layers and attention know their time
            axis, and a `PackedSequence` its padding.
        time_axis: the time axis of other modules.
        select: as in `activity`.
        batch_axis: as in `activity`.
        copy: as in `activity`.
        mask: as in `activity`.
        carry: as in `activity`.
        optional: as in `activity`.
        shared: as in `activity`.
        unknown: any other option raises.

    Returns:
        A rule for `Regularization`, which is `activity(TAR(beta), where)`.

    Raises:
        ConfigurationError: as `activity`.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> rnn = torch.nn.LSTM(4, 3)
        >>> reg = rz.Regularization(rnn, [rz.tar(1.0, where="")])
        >>> states, _ = rnn(torch.randn(7, 2, 4))  # seven steps, two sequences
        >>> torch.isclose(reg.penalty(), (states[1:] - states[:-1]).square().mean()).item()
        True

    Source: as for `ar`.
    """
    instead = "activity(Temporal(L2Squared(beta)), where, reduce=...)"
    _refuse("tar", where, unknown, instead)
    return activity(
        TAR(beta, time_axis=time_axis),
        where,
        select=select,
        batch_axis=batch_axis,
        copy=copy,
        mask=mask,
        carry=carry,
        optional=optional,
        shared=shared,
    )


def _refuse(rule: str, where: Wheres, unknown: Mapping[str, object], instead: str = "") -> None:
    """Raise on options that a rule for activities does not have."""
    for name, value in unknown.items():
        if name == "proximal":
            cure = "is for weights, which are shrunk after a step: kernel(..., proximal=True)"
        elif name == "reduce":
            cure = f"is no option, as the published penalty is a mean; another one: {instead}"
        else:
            cure = f"is no option of {rule}(); its docstring lists those there are"
        raise ConfigurationError(f"{rule}(where={described(where)}): {name}={value!r} {cure}")
