"""Loading sparse autoencoders, ours and those of SAELens."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any, cast

import torch

from regularizers.errors import ConfigurationError, DataError
from regularizers.sae._architectures import Architecture
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae.files._architectures import (
    ARCHITECTURES,
    WEIGHTS,
    State,
    exported,
    restored,
)
from regularizers.sae.files._folder import OWN_CONFIG, OWN_TENSORS, read_json, read_tensors
from regularizers.sae.files._norms import fold_norms
from regularizers.sae.files._save import FORMAT
from regularizers.sae.files._theirs import Theirs, read_theirs


def load(folder: str | PathLike[str], *, active: float | None = None) -> SparseAutoencoder:
    r"""Load an autoencoder that `save` or SAELens has saved, for evaluation, on the CPU.

    A folder of `save` comes back to the bit: weights, input scale, settings.

    A file of SAELens comes with the scale 1 and gives their encodings and outputs, to rounding.
    For that the decoder is kept **as it is stored**: where its columns have other norms than 1,
    they stay, since dividing them out would multiply the codes by them, and TopK would choose other
    units. `fold_decoder_norms` does it where it is exact, before training goes on.

    =========================================  =================================================
    in `cfg.json`                              here
    =========================================  =================================================
    standard                                   `l1`
    topk                                       `topk` of k
    ... with `rescale_acts_by_decoder_norm`    decoder norms in the encoder, as in their codes
    jumprelu, also from batchtopk, matryoshka  `jumprelu`; thresholds below 0 are at 0
    gated                                      `gated`, without a bias in the encoder
    `apply_b_dec_to_input` false               the bias of the code takes it back: b_e + W_e b
    `reshape_activations` "hook_z"             heads side by side: give `x.flatten(-2)`
    `normalize_activations` but "none"         refused
    `dtype`                                    kept
    =========================================  =================================================

    Args:
        folder: where from, a path.
        active: the active units a sample that further training aims at, where a file of SAELens
            does not say it.

    Returns:
        The autoencoder, in evaluation mode; call `train()` before training goes on.

    Raises:
        DataError: a file is missing, half-written or damaged, of an architecture that is not among
            these, of a later version, or has other tensors or shapes than its configuration says.
        ConfigurationError: `active` is needed and not given, or is given and the file says another;
            or safetensors is not installed.

    Example:
        >>> import regularizers as rz
        >>> import tempfile, torch
        >>> sae = rz.sae.SparseAutoencoder(features=3, units=6, active=2, architecture="l1")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = rz.sae.load(rz.sae.save(sae, f"{folder}/digits"))
        >>> torch.equal(again.encoder.weight, sae.encoder.weight), again.training
        (True, False)
    """
    path = Path(folder)
    ours = (path / OWN_CONFIG).exists() or (path / OWN_TENSORS).exists()
    return _load_ours(path, active) if ours else _load_theirs(path, active)


def _load_theirs(folder: Path, active: float | None) -> SparseAutoencoder:
    theirs = read_theirs(folder)
    return _built(
        cast(Architecture, theirs.architecture),
        *theirs.sizes,
        active=_active(theirs, active),
        nested=None,
        state=_restored(theirs),
    )


def _restored(theirs: Theirs) -> State:
    centred = theirs.config.get("apply_b_dec_to_input", True)
    state = restored(ARCHITECTURES[theirs.architecture], theirs.tensors, centred=centred)
    if theirs.config.get("rescale_acts_by_decoder_norm", False):
        return fold_norms(state, ("encoder.bias",))
    return state


def _active(theirs: Theirs, active: float | None) -> float:
    said = theirs.active
    if theirs.architecture == "topk" and active not in (None, said):
        raise ConfigurationError(
            f"load: {theirs.path}: active: expected the k of the file, {said}, got {active}; "
            f"leave it out: another k would be another autoencoder"
        )
    if active is not None:
        return active
    if said is None:
        raise ConfigurationError(
            f"load: {theirs.path}: the file does not say how many units are active; state what "
            f"further training should aim at: load(folder, active=32). Encodings do not depend "
            f"on it"
        )
    return said


def _load_ours(folder: Path, active: float | None) -> SparseAutoencoder:
    path = folder / OWN_CONFIG
    own = read_json(path)
    _check_own(path, own, active)
    theirs = read_theirs(folder)
    state = read_tensors(folder / OWN_TENSORS)
    state |= {ours: theirs.tensors[name].T.contiguous() for ours, name in WEIGHTS.items()}
    nested = own["nested"]
    sae = _built(
        own["architecture"],
        own["features"],
        own["units"],
        active=own["active"],
        nested=None if nested is None else tuple(nested),
        state=state,
    )
    for name, value in own["settings"].items():
        holder, _, attribute = f"coding.{name}".rpartition(".")
        setattr(sae.get_submodule(holder), attribute, value)
    absent = sorted(set(sae.state_dict()) - set(state))
    if absent:
        raise DataError(
            f"load: {folder / OWN_TENSORS}: missing: {', '.join(absent)}; the file is damaged: "
            f"copy or save it again"
        )
    _check_agreement(folder, own, theirs, state)
    return sae


def _check_own(path: Path, own: dict[str, Any], active: float | None) -> None:
    form = own.get("format")
    if type(form) is not int or form > FORMAT:
        raise DataError(
            f"load: {path}: format: expected at most {FORMAT}, got {form!r} (written by "
            f"regularizers {own.get('library')}); update regularizers, or remove "
            f"{OWN_CONFIG} and {OWN_TENSORS} to read what SAELens reads"
        )
    needed = ("architecture", "features", "units", "active", "nested", "settings")
    missing = [key for key in needed if key not in own]
    if missing or own["architecture"] not in ARCHITECTURES:
        raise DataError(
            f"load: {path}: expected {', '.join(needed)}, with an architecture of "
            f"{', '.join(ARCHITECTURES)}; "
            + (f"missing: {', '.join(missing)}" if missing else f"got {own['architecture']!r}")
            + f"; remove {OWN_CONFIG} and {OWN_TENSORS} to read what SAELens reads"
        )
    for key in ("features", "units"):
        if type(own[key]) is not int or own[key] < 1:
            raise DataError(
                f"load: {path}: {key}: expected a positive integer, got {own[key]!r}; the file is "
                f"damaged: copy or save it again"
            )
    if active not in (None, own["active"]):
        raise ConfigurationError(
            f"load: {path}: active: expected what was saved, {own['active']}, got {active}; leave "
            f"it out, and give train() another"
        )


def _check_agreement(folder: Path, own: dict[str, Any], theirs: Theirs, state: State) -> None:
    """Refuse a folder of which another program has since written one half."""
    architecture = ARCHITECTURES[own["architecture"]]
    same = theirs.config["architecture"] == architecture.theirs
    same &= theirs.sizes == (own["features"], own["units"])
    for name, tensor in exported(architecture, state).items() if same else ():
        stored = theirs.tensors[name]
        slack = 16 * torch.finfo(stored.dtype).eps * float(stored.abs().max())
        same &= torch.allclose(tensor.to(stored.dtype), stored, rtol=0, atol=slack, equal_nan=True)
    if not same:
        raise DataError(
            f"load: {folder}: {OWN_TENSORS} and the files of SAELens were saved together and no "
            f"longer agree: one was written since; remove {OWN_CONFIG} and {OWN_TENSORS} to read "
            f"what SAELens reads"
        )


def _built(
    architecture: Architecture,
    features: int,
    units: int,
    *,
    active: float,
    nested: tuple[int, ...] | None,
    state: State,
) -> SparseAutoencoder:
    with torch.random.fork_rng(devices=[]):  # a start is drawn, and overwritten
        sae = SparseAutoencoder(features, units, active, architecture=architecture, nested=nested)
    sae.to(state["encoder.weight"].dtype)
    fresh = sae.state_dict()
    wrong = [k for k, t in state.items() if k not in fresh or fresh[k].shape != t.shape]
    if wrong:
        raise DataError(
            f"load: expected tensors of {features} features and {units} units as "
            f"{architecture!r} has them, got {', '.join(wrong)} of another name or shape; the "
            f"files are damaged or of a later version: update regularizers"
        )
    if "encoder.bias" in fresh:  # gated has its biases elsewhere
        fresh["encoder.bias"] = torch.zeros_like(fresh["encoder.bias"])
    sae.load_state_dict({**fresh, **state}, assign=True)
    return sae.eval()
