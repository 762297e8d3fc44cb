"""Saving sparse autoencoders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from operator import attrgetter
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae.files._architectures import ARCHITECTURES, WEIGHTS, State, exported
from regularizers.sae.files._folder import (
    CONFIG,
    OWN_CONFIG,
    OWN_TENSORS,
    SPARSITY,
    write_json,
    write_tensors,
    written_whole,
)
from regularizers.sae.files._folder import WEIGHTS as WEIGHTS_FILE
from regularizers.sae.files._theirs import SAELENS

FORMAT = 1
"""The format of our own files; counts up when an older reader would read them wrongly."""


def save(
    sae: SparseAutoencoder,
    folder: str | PathLike[str],
    *,
    metadata: Mapping[str, Any] | None = None,
    firing_rates: Tensor | None = None,
) -> Path:
    r"""Save an autoencoder in SAELens' format, with what `load` needs to restore it to the bit.

    The folder holds `cfg.json` and `sae_weights.safetensors`, which SAELens opens by
    `SAE.load_from_disk(folder)`. The input scale c is folded: with this library's weights on the
    right,

    .. math:: W_\mathrm{enc} = W_e^\top, \qquad W_\mathrm{dec} = W_d^\top, \qquad
        b_\mathrm{enc} = b_e / c, \qquad b_\mathrm{dec} = b / c, \qquad
        \mathrm{threshold} = \theta / c

    so that their `encode` is `sae.encode` in evaluation and their output `sae(x)`, to rounding. The
    rows of W_dec have the norms of our columns, which are 1. What SAELens cannot hold (the
    scale, the unfolded biases, the settings) stands beside it in `regularizers.json` and
    `regularizers.safetensors`, which SAELens passes over.

    ===========  ==========  ==========================================================
    here         in SAELens  its parameters
    ===========  ==========  ==========================================================
    `l1`         standard    as above
    `topk`       topk        as above, and k
    `jumprelu`   jumprelu    as above
    `batchtopk`  jumprelu    its threshold for every unit, as they save it, too
    `gated`      gated       b_gate = gate.bias / c, b_mag = bias / c, r_mag = log_scale
    ===========  ==========  ==========================================================

    The folder appears whole or not at all. One that was saved before is replaced.

    Args:
        sae: the autoencoder. It is not changed.
        folder: where to, a path.
        metadata: entries of `metadata` in `cfg.json`, of JSON's types. SAELens' analysis reads
            `model_name` and `hook_name`, among others.
        firing_rates: in which share of samples each unit fires, of shape (units,); written as
            `sparsity.safetensors`, the decimal logarithm, for those tools of theirs that read it.

    Returns:
        The folder.

    Raises:
        ConfigurationError: not an autoencoder of one of these architectures, a BatchTopK that has
            not been trained and so has no threshold, a scale that is not positive, metadata that
            JSON cannot hold, or safetensors is not installed.
        ArrayTypeError, ShapeError: firing rates that are no tensor of shape (units,) within [0, 1].
        RunFolderError: the folder holds other files, or cannot be written.

    Example:
        >>> import regularizers as rz
        >>> import tempfile, torch
        >>> sae = rz.sae.SparseAutoencoder(features=3, units=6, active=2, architecture="l1")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = rz.sae.save(sae, f"{folder}/digits", metadata={"hook_name": "encoder"})
        ...     print(*sorted(p.name for p in path.iterdir()))
        ...     again = rz.sae.load(path)
        cfg.json regularizers.json regularizers.safetensors sae_weights.safetensors
        >>> x = torch.randn(4, 3)
        >>> torch.equal(again(x), sae(x))
        True
    """
    path = Path(folder)
    state = _state(sae)
    config = _config(sae, state, _plain(metadata))
    tensors = exported(ARCHITECTURES[sae.architecture], state)
    sparsity = None if firing_rates is None else _log_rates(firing_rates, sae.units)
    with written_whole(path) as new:
        write_tensors(new / WEIGHTS_FILE, tensors)
        write_json(new / CONFIG, config)
        if sparsity is not None:
            write_tensors(new / SPARSITY, {"sparsity": sparsity})
        write_tensors(new / OWN_TENSORS, {k: t for k, t in state.items() if k not in WEIGHTS})
        write_json(new / OWN_CONFIG, _own(sae, state))
    return path


def _state(sae: SparseAutoencoder) -> State:
    if not isinstance(sae, SparseAutoencoder) or sae.architecture not in ARCHITECTURES:
        kind = getattr(sae, "architecture", type(sae).__name__)
        raise ConfigurationError(
            f"save: expected a SparseAutoencoder of one of {', '.join(ARCHITECTURES)}, got "
            f"{kind!r}; SAELens' format holds no other: keep its state_dict() instead"
        )
    state = {name: tensor.detach() for name, tensor in sae.state_dict().items()}
    needed = {*WEIGHTS, "decoder.bias", "scale"}
    wrong = state.get("decoder.weight", torch.empty(0)).shape != (sae.features, sae.units)
    if needed - set(state) or wrong:
        raise ConfigurationError(
            f"save: expected an autoencoder with {', '.join(sorted(needed))} and a decoder that "
            f"gives the {sae.features} features it reads; got one with {', '.join(state)}; save "
            f"it without parametrizations, and other modules by their state_dict()"
        )
    scale = float(state["scale"])
    if not 0 < scale < float("inf"):
        raise ConfigurationError(
            f"save: scale: expected a positive number, got {scale}; train the autoencoder on "
            f"inputs that are finite and not all 0"
        )
    if sae.architecture == "batchtopk" and not state["coding.threshold"].isfinite().all():
        raise ConfigurationError(
            "save: coding.threshold: expected the threshold that training measures, got "
            f"{float(state['coding.threshold'])}; train the autoencoder first: without a "
            "threshold BatchTopK has no code in evaluation"
        )
    return state


def _config(sae: SparseAutoencoder, state: State, metadata: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {
        "d_in": sae.features,
        "d_sae": sae.units,
        "dtype": str(state["encoder.weight"].dtype).removeprefix("torch."),
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": SAELENS, **metadata},
        "architecture": ARCHITECTURES[sae.architecture].theirs,
    }
    if sae.architecture == "topk":
        config |= {"k": _settings(sae)["k"], "rescale_acts_by_decoder_norm": False}
    return config


def _own(sae: SparseAutoencoder, state: State) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "library": _version(),
        "architecture": sae.architecture,
        "features": sae.features,
        "units": sae.units,
        "active": sae.active,
        "nested": None if sae.nested is None else list(sae.nested),
        "settings": _settings(sae),
        "scale": float(state["scale"]),
    }


def _settings(sae: SparseAutoencoder) -> dict[str, Any]:
    return {n: attrgetter(n)(sae.coding) for n in ARCHITECTURES[sae.architecture].settings}


def _version() -> str:
    try:
        return version("regularizers")
    except PackageNotFoundError:
        return "unknown"


def _plain(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        text = json.dumps({} if metadata is None else dict(metadata), allow_nan=False)
        plain: dict[str, Any] = json.loads(text)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"save: metadata: expected a mapping of JSON's types (text, finite numbers, lists, "
            f"mappings), got {metadata!r}: {error}; write other things as text"
        ) from error
    return plain


def _log_rates(rates: Tensor, units: int) -> Tensor:
    if not isinstance(rates, Tensor) or not rates.dtype.is_floating_point:
        raise ArrayTypeError(
            f"save: firing_rates: expected a floating tensor of shape ({units},), got {rates!r}"
        )
    if rates.shape != (units,):
        raise ShapeError(
            f"save: firing_rates: expected one rate a unit, of shape ({units},), got "
            f"{tuple(rates.shape)}; average over samples"
        )
    if not ((rates >= 0) & (rates <= 1)).all():
        raise ConfigurationError(
            f"save: firing_rates: expected shares of samples, within [0, 1], got from "
            f"{float(rates.min())} to {float(rates.max())}; divide counts by the number of samples"
        )
    return (rates.detach().float() + 1e-10).log10()
