"""Mixup: sums of pairs of samples and of their labels."""

from __future__ import annotations

from regularizers.functional._labels import soft_labels
from regularizers.functional._mixing import Mixed, check_batch, symmetric_beta, weighted
from regularizers.functional._random import Generator, uniform
from regularizers.penalties.arrays import Array, check_positive, namespace_of


def mixup(
    inputs: Array,
    labels: Array,
    /,
    alpha: float,
    rng: Generator = None,
    *,
    classes: int | None = None,
) -> Mixed:
    r"""Mix each sample of a batch, and its label, with another one.

    .. math:: \tilde x_i = \lambda x_i + (1 - \lambda) x_{\pi(i)}, \qquad
        \tilde y_i = \lambda y_i + (1 - \lambda) y_{\pi(i)}, \qquad
        \lambda \sim \mathrm{Beta}(\alpha, \alpha)

    One λ is drawn for the batch, as published, and one random permutation π. Train on the result
    with a loss that takes probabilities, such as `nn.CrossEntropyLoss`. For pictures in a data
    loader torchvision has `transforms.v2.MixUp`.

    Half precision is mixed in float32. The labels are read to be checked, so the call stands
    outside of compiled code.

    Args:
        inputs: a batch of a real floating type, samples along the first axis.
        labels: one integer class for each sample, or the probabilities of its classes as floats.
        alpha: α, above 0; the authors use 0.2 to 0.4 for ImageNet, and 1 for CIFAR.
        rng: a `numpy.random.Generator`; for a PyTorch tensor a `torch.Generator`, or None for
            PyTorch's own; for a JAX array a key.
        classes: the number of classes; needed for integer labels.

    Returns:
        `(inputs, labels)`, both mixed.

    Shape:
        inputs: (N, ...), kept; labels: (N,) or (N, classes), mixed (N, classes) in the type of the
        inputs for integers, else in their own.

    Raises:
        ShapeError: fewer than two samples; not one label for each sample.
        ConfigurationError: an α that is not above 0; integer labels without `classes`, or outside
            of 0 to classes − 1; probabilities that do not sum to 1; a generator of another library.
        ArrayTypeError: inputs that are not real floating point; labels of another library or type.

    Example:
        >>> import numpy as np
        >>> from regularizers import functional
        >>> x, y = np.eye(3), np.array([0, 1, 2])
        >>> x, y = functional.mixup(x, y, 1.0, np.random.default_rng(7), classes=3)
        >>> y.round(2)
        array([[0.86, 0.14, 0.  ],
               [0.  , 0.86, 0.14],
               [0.14, 0.  , 0.86]])

    Source: Zhang et al., "mixup: beyond empirical risk minimization", 2018, `arXiv:1710.09412
    <https://arxiv.org/abs/1710.09412>`__.
    """
    xp = namespace_of(inputs, "inputs")
    check_positive(alpha, "alpha")
    check_batch(inputs)
    labels = soft_labels(xp, inputs, labels, classes)
    u = uniform(xp, inputs, (2 + inputs.shape[0],), rng)
    weight = symmetric_beta(xp, u[0], u[1], alpha)
    partners = xp.argsort(u[2:])
    return Mixed(weighted(xp, inputs, partners, weight), weighted(xp, labels, partners, weight))
