"""Decoder norms folded into the code."""

from __future__ import annotations

import copy

import torch

from regularizers.errors import ConfigurationError
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae.files._architectures import ARCHITECTURES, State


def fold_decoder_norms(sae: SparseAutoencoder) -> SparseAutoencoder:
    r"""Return the same reconstruction with decoder columns of norm 1; codes grow by the norms.

    .. math:: d_i' = d_i / n_i, \qquad f_i' = n_i f_i, \qquad n_i = \lVert d_i \rVert

    `load` keeps decoders as they are stored. Files of SAELens may hold norms that are not 1, while
    `train` here holds them at 1: fold before training goes on. The encoder's rows, its biases and
    the thresholds of a unit are multiplied by its norm. A column of zeros stays as it is.

    Args:
        sae: an autoencoder, which is left as it is.

    Raises:
        ConfigurationError: TopK and BatchTopK, whose choice of units compares codes: with other
            norms they would choose others.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(features=3, units=6, active=2, architecture="l1")
        >>> with torch.no_grad():
        ...     _ = sae.decoder.weight.mul_(2)
        >>> folded = rz.sae.fold_decoder_norms(sae)
        >>> x = torch.randn(4, 3)
        >>> torch.allclose(folded(x), sae(x), atol=1e-6)
        True
        >>> torch.allclose(folded.encode(x), 2 * sae.encode(x), atol=1e-6)
        True
    """
    names = ARCHITECTURES[sae.architecture].code_units
    if names is None:
        raise ConfigurationError(
            f"fold_decoder_norms: expected an architecture that decides for each unit by itself, "
            f"got {sae.architecture!r}, which compares codes: with other norms it chooses other "
            f"units; for evaluation the autoencoder is right as it is"
        )
    folded = copy.deepcopy(sae)
    folded.load_state_dict(fold_norms(sae.state_dict(), names))
    return folded


def fold_norms(state: State, names: tuple[str, ...]) -> State:
    """Return a state whose decoder columns have norm 1; `names` are in the units of the code."""
    norms = torch.linalg.vector_norm(state["decoder.weight"], dim=0)
    norms = torch.where(norms == 0, 1, norms)
    return {
        **state,
        "encoder.weight": state["encoder.weight"] * norms[:, None],
        "decoder.weight": state["decoder.weight"] / norms,
        **{name: state[name] * norms for name in names if name in state},
    }
