"""Rules of kernels and biases."""

from __future__ import annotations

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
) -> Rule:
    """Penalise kernels: the weights that multiply, by the role of the module that owns them.

    The weight of a normalization layer is no kernel; a recurrent layer's `weight_hh_l0` and an
    attention's `in_proj_weight` are. Trainable kernels count, tied ones once, in evaluation too.

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

    Returns:
        A rule for `Regularization`.

    Raises:
        ConfigurationError: there is no penalty or no `where`, two reductions contradict, or the
            penalty has no proximal operator.

    Example:
        >>> import regularizers as rz
        >>> rz.kernel(rz.L2Squared(1e-4)).where
        '**'
    """
    return Rule("kernel", penalty, where, None, reduce, batch_axis, proximal=proximal)


def bias(
    penalty: Penalty,
    where: Wheres = "**",
    *,
    reduce: Reduce | None = None,
    batch_axis: Axes | None = None,
    proximal: bool = False,
) -> Rule:
    """Penalise biases: parameters added after the kernels. The shift of a normalization is none.

    Args:
        penalty: the penalty of each bias. Its default reduction is `"sum"`.
        where: as in `kernel`. Every bias by default.
        reduce: as in the penalty; say it in one place only.
        batch_axis: as in the penalty.
        proximal: as in `kernel`.

    Returns:
        A rule for `Regularization`.

    Raises:
        ConfigurationError: as in `kernel`.

    Example:
        >>> import regularizers as rz
        >>> rz.bias(rz.L1(1e-4), where="head").kind
        'bias'
    """
    return Rule("bias", penalty, where, None, reduce, batch_axis, proximal=proximal)
