"""Rules of kernels and biases."""

from __future__ import annotations

from regularizers.attach.rules._measured import Tensors, Towards
from regularizers.attach.rules._rule import Rule
from regularizers.modules import Wheres
from regularizers.penalties import Penalty
from regularizers.penalties.arrays import Axes, Reduce


def kernel(
    penalty: Penalty,
    where: Wheres = "**",
    *,
    reduce: Reduce | None = None,
    batch_axis: Axes | None = None,
    proximal: bool = False,
    towards: Towards | None = None,
    importance: Tensors | None = None,
) -> Rule:
    r"""Penalise kernels: the weights that multiply, by the role of the module that owns them.

    The weight of a normalization layer is no kernel; a recurrent layer's `weight_hh_l0` and an
    attention's `in_proj_weight` are. Trainable kernels count, tied ones once, in evaluation too.

    .. math:: p = s \sum_i F_i\, f(w_i - w^0_i)

    With `towards` a penalty of w becomes one of w − w⁰, and with `importance` that of each element
    is multiplied by a number Fᵢ of its own. Without them w⁰ = 0 and Fᵢ = 1. Staying near pretrained
    weights, ½α‖w − w⁰‖² (L2-SP), is `kernel(L2Squared(α / 2), towards="initial")`. Elastic weight
    consolidation, ½λΣF(w − w*)², takes F from `diagonal_fisher` and w* from the end of the task
    before: `kernel(L2Squared(λ / 2), towards=model.state_dict(), importance=fisher)`.

    Args:
        penalty: the penalty of each kernel. Its default reduction is `"sum"`.
        where: as in `activity`; here the name of a module means everything in it, and the name of
            a parameter means that parameter. Every kernel by default.
        reduce: as in the penalty; say it in one place only.
        batch_axis: as in the penalty.
        proximal: apply the proximal operator of the penalty after each step of the optimizer
            attached by `Regularization.attach`, instead of adding a gradient: this gives weights
            that are exactly 0. For L1, L2Squared, L1L2, L2Norm and GroupLasso, and for
            `torch.optim.SGD`, `Adam` and `AdamW`.
        towards: w⁰. `"initial"`, or its alias `"now"`: the weights as they are when the
            Regularization is made; `reg.state_dict()` keeps them. A state dict, or tensors by the
            full names of weights, such as `"encoder.lin.weight"`: copied when the Regularization
            is made, which raises if they have changed in place since the rule was written. Names
            that are no weight of the rule are ignored. Each tensor has the shape of its weight. A
            computed weight (parametrized, pruned) is meant by its own name.
        importance: F, tensors by name likewise, finite and not negative. For sums over elements.
            Denominators stay the number of elements or samples.

    Returns:
        A rule for `Regularization`.

    Raises:
        ConfigurationError: there is no penalty or no `where`, two reductions contradict, the
            penalty has no proximal operator, `towards` and a target of zeros contradict, or
            `importance` is given to a penalty that is no sum over elements. `Regularization`
            raises, with the name of the weight, if it is missing in `towards` or `importance`, or
            if a tensor there does not fit it.

    Example:
        >>> import regularizers as rz
        >>> rz.kernel(rz.L2Squared(1e-4)).where
        '**'
        >>> import torch
        >>> layer = torch.nn.Linear(3, 1)
        >>> reg = rz.Regularization(layer, [rz.kernel(rz.L2Squared(0.5), towards="initial")])
        >>> _ = layer.weight.data.add_(2)
        >>> f"{reg.penalty().item():.4f}"  # half of three squares of 2
        '6.0000'

    Source: Li, Grandvalet and Davoine, "Explicit inductive bias for transfer learning with
    convolutional networks", 2018, `arXiv:1802.01483 <https://arxiv.org/abs/1802.01483>`__.
    Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks", 2017,
    `arXiv:1612.00796 <https://arxiv.org/abs/1612.00796>`__.
    """
    return Rule(
        "kernel",
        penalty,
        where,
        None,
        reduce,
        batch_axis,
        proximal=proximal,
        towards=towards,
        importance=importance,
    )


def bias(
    penalty: Penalty,
    where: Wheres = "**",
    *,
    reduce: Reduce | None = None,
    batch_axis: Axes | None = None,
    proximal: bool = False,
    towards: Towards | None = None,
    importance: Tensors | None = None,
) -> Rule:
    """Penalise biases: parameters added after the kernels. The shift of a normalization is none.

    Args:
        penalty: the penalty of each bias. Its default reduction is `"sum"`.
        where: as in `kernel`. Every bias by default.
        reduce: as in the penalty; say it in one place only.
        batch_axis: as in the penalty.
        proximal: as in `kernel`.
        towards: as in `kernel`.
        importance: as in `kernel`.

    Returns:
        A rule for `Regularization`.

    Raises:
        ConfigurationError: as in `kernel`.

    Example:
        >>> import regularizers as rz
        >>> rz.bias(rz.L1(1e-4), where="head").kind
        'bias'
    """
    return Rule(
        "bias",
        penalty,
        where,
        None,
        reduce,
        batch_axis,
        proximal=proximal,
        towards=towards,
        importance=importance,
    )
