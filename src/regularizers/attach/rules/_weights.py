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
    """Penalise kernels: the weights that multiply, known by the role of the module they are in.

    The weight of a normalization layer is no kernel; a recurrent layer's `weight_hh_l0` and an
    attention's `in_proj_weight` are. Trainable kernels count, tied ones once, in evaluation too.

    Args:
        penalty: the penalty of each kernel. Its default reduction is `"sum"`.
        where: as in `activity`; here the name of a module means everything in it, and the name
            of a parameter means that one. Every kernel by default.
        reduce: as in the penalty; say it in one place only.
        batch_axis: as in the penalty.
        proximal: shrink the weights by the proximal form of the penalty after each step of the
            optimizer that `Regularization.attach` was given, instead of adding a gradient: the way
            to weights that are exactly 0. For L1, L2Squared, L1L2, L2Norm and GroupLasso, and for
            `torch.optim.SGD`, `Adam` and `AdamW`.

    Returns:
        A rule for `Regularization`.

    Raises:
        ConfigurationError: no penalty, no `where`, two reductions that contradict, or a penalty
            without a proximal form.

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
    """Penalise biases: what is added after the kernels; a normalization layer's shift is none.

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
