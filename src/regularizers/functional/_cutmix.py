"""CutMix: boxes of pictures replaced by those of others, labels in proportion to the area."""

from __future__ import annotations

import array_api_compat

from regularizers.functional._labels import soft_labels
from regularizers.functional._mixing import Mixed, check_batch, symmetric_beta, taken, weighted
from regularizers.functional._random import Generator, uniform
from regularizers.penalties.arrays import Array, Namespace, check_positive, namespace_of


def cutmix(
    inputs: Array,
    labels: Array,
    /,
    alpha: float,
    rng: Generator = None,
    *,
    classes: int | None = None,
) -> Mixed:
    r"""Replace a box of each picture by that of another one, and mix the labels by its area.

    .. math:: \tilde x_i = (1 - M) \odot x_i + M \odot x_{\pi(i)}, \qquad
        \tilde y_i = \lambda' y_i + (1 - \lambda') y_{\pi(i)}, \qquad
        \lambda' = 1 - \frac{\sum M}{H W}

    M is 1 in a box of sides :math:`H \sqrt{1 - \lambda}` and :math:`W \sqrt{1 - \lambda}` around
    a pixel drawn uniformly, with :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)`. What lies
    outside of the picture is cut off, so the labels are weighted by λ′, from the pixels that are
    replaced. One box is drawn for the batch, as published, and one random permutation π. For
    pictures in a data loader torchvision has `transforms.v2.CutMix`.

    The labels are read to be checked, so the call stands outside of compiled code.

    Args:
        inputs: pictures of a real floating type; the first axis is of samples, the last two are
            height and width.
        labels: one integer class for each sample, or the probabilities of its classes as floats.
        alpha: α, above 0; the authors use 1.
        rng: a `numpy.random.Generator`; for a PyTorch tensor a `torch.Generator`, or None for
            PyTorch's own; for a JAX array a key.
        classes: the number of classes; needed for integer labels.

    Returns:
        `(inputs, labels)`, both mixed.

    Shape:
        inputs: (N, ..., H, W), for example (N, C, H, W), kept; labels: (N,) or (N, classes), mixed
        (N, classes) in the type of the inputs for integers, else in their own.

    Raises:
        ShapeError: fewer than two samples; no two axes of space; not one label for each sample.
        ConfigurationError: an α that is not above 0; integer labels without `classes`, or outside
            of 0 to classes − 1; probabilities that do not sum to 1; a generator of another library.
        ArrayTypeError: inputs that are not real floating point; labels of another library or type.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> x = np.stack([np.zeros((3, 5)), np.ones((3, 5))])
        >>> rng = np.random.default_rng(4)
        >>> x, y = functional.cutmix(x, np.array([0, 1]), 1.0, rng, classes=2)
        >>> x[0]
        array([[0., 0., 0., 0., 0.],
               [1., 1., 0., 0., 0.],
               [1., 1., 0., 0., 0.]])
        >>> y.round(2)
        array([[0.73, 0.27],
               [0.27, 0.73]])

    Source: Yun et al., "CutMix: regularization strategy to train strong classifiers with
    localizable features", 2019, `arXiv:1905.04899 <https://arxiv.org/abs/1905.04899>`__.
    """
    xp = namespace_of(inputs, "inputs")
    check_positive(alpha, "alpha")
    check_batch(inputs, spatial_axes=2)
    labels = soft_labels(xp, inputs, labels, classes)
    u = uniform(xp, inputs, (4 + inputs.shape[0],), rng)
    weight = symmetric_beta(xp, u[0], u[1], alpha)
    partners = xp.argsort(u[4:])
    box, weight = box_of(xp, u[2:4], weight, inputs.shape[-2:])
    return Mixed(
        xp.where(box, taken(xp, inputs, partners), inputs), weighted(xp, labels, partners, weight)
    )


def box_of(
    xp: Namespace, centre: Array, weight: Array, sides: tuple[int, ...]
) -> tuple[Array, Array]:
    """Return where the box is, and the share of the picture outside of it.

    Args:
        xp: the namespace of `centre`.
        centre: two uniform numbers, for the pixel in the middle of the box.
        weight: λ, the share outside of a box that nothing is cut off from.
        sides: the height and the width of the picture.

    Shape:
        The box: (height, width), boolean; the share: a number.
    """
    reach = xp.sqrt(1 - weight) / 2
    within = []
    for u, side in zip((centre[0], centre[1]), sides, strict=True):
        pixel = xp.arange(side, dtype=centre.dtype, device=array_api_compat.device(centre))
        middle, half = xp.floor(u * side), xp.floor(reach * side)
        # pixels that are not there are cut off by themselves
        within.append((pixel >= middle - half) & (pixel < middle + half))
    rows, columns = [xp.sum(xp.astype(one, centre.dtype)) for one in within]
    share = 1 - rows * columns / (sides[0] * sides[1])
    return within[0][:, None] & within[1][None, :], share
