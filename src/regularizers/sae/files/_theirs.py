"""What a folder of SAELens says of an autoencoder, or why it cannot be read here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regularizers.errors import DataError
from regularizers.sae.files._architectures import ARCHITECTURES, READ
from regularizers.sae.files._folder import CONFIG, WEIGHTS, read_json, read_tensors

SAELENS = "6.54.12"
"""The version of SAELens whose format is written, and the newest known to be read."""

MAJOR = int(SAELENS.split(".")[0])

DTYPES = {
    name: dtype
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16)
    for name in (str(dtype), str(dtype).removeprefix("torch."))
}

_CHECKPOINTS = ("batchtopk", "matryoshka_batchtopk")

_KEYS = {
    "architecture",
    "d_in",
    "d_sae",
    "dtype",
    "device",
    "apply_b_dec_to_input",
    "normalize_activations",
    "reshape_activations",
    "metadata",
    "k",
    "rescale_acts_by_decoder_norm",
}


@dataclass(frozen=True)
class Theirs:
    """A file of SAELens: its configuration and tensors, checked."""

    path: Path
    config: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def architecture(self) -> str:
        """Our name of the architecture."""
        return READ[self.config["architecture"]]

    @property
    def sizes(self) -> tuple[int, int]:
        """Features and units."""
        return self.config["d_in"], self.config["d_sae"]

    @property
    def active(self) -> float | None:
        """How many units are active, where the file says so."""
        if self.architecture == "topk":
            return int(self.config["k"])
        metadata = _mapping(self.config, "metadata")
        details = _mapping(metadata, "training_architecture_details")
        for said in (details.get("k"), details.get("target_l0"), metadata.get("l0")):
            if isinstance(said, int | float) and math.isfinite(said) and said > 0:
                return said
        return None


def read_theirs(folder: Path) -> Theirs:
    """Read a folder of SAELens.

    Raises:
        DataError: a file is missing or broken, or says something that cannot be had here.
    """
    path = folder / CONFIG
    config = read_json(path)
    _check_version(path, config)
    _check_config(path, config)
    tensors = read_tensors(folder / WEIGHTS)
    theirs = Theirs(folder, config, tensors)
    _check_tensors(folder / WEIGHTS, theirs)
    dtype = DTYPES[config.get("dtype", "float32")]
    return Theirs(folder, config, {k: t.to(dtype) for k, t in tensors.items()})


def _check_version(path: Path, config: dict[str, Any]) -> None:
    version = str(_mapping(config, "metadata").get("sae_lens_version"))
    major = version.split(".")[0]
    if not major.isdecimal() or int(major) < MAJOR:
        raise DataError(
            f"load: {path}: expected a file of SAELens {MAJOR}, got one of version {version} "
            f"(metadata.sae_lens_version); open it in SAELens {MAJOR} and save it again"
        )
    if int(major) > MAJOR:
        raise DataError(
            f"load: {path}: expected a file of SAELens {MAJOR}, got one of version {version}, "
            f"which this version of regularizers does not know: update regularizers"
        )
    # SAELens passes over keys that it does not know, which are therefore without effect up to here
    unknown = sorted(set(config) - _KEYS)
    if unknown and _numbers(version) > _numbers(SAELENS):
        raise DataError(
            f"load: {path}: written by SAELens {version}, later than {SAELENS}, with keys that "
            f"are not known here: {', '.join(unknown)}; update regularizers, or remove them from "
            f"a copy if they do not change what is computed"
        )


def _mapping(values: dict[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")[:3] if part.isdecimal()]


def _check_config(path: Path, config: dict[str, Any]) -> None:
    name = config.get("architecture")
    if name not in READ:
        cure = (
            "it is a checkpoint of training: write the file of evaluation by "
            "sae.save_inference_model(folder)"
            if name in _CHECKPOINTS
            else "no architecture here computes the same"
        )
        raise DataError(
            f"load: {path}: architecture: expected one of {', '.join(READ)}, got {name!r}; {cure}"
        )
    for key in ("d_in", "d_sae", *(("k",) if name == "topk" else ())):
        if type(config.get(key)) is not int or config[key] < 1:
            raise DataError(
                f"load: {path}: {key}: expected a positive integer, got {config.get(key)!r}; the "
                f"file is damaged: copy or save it again"
            )
    normalized = config.get("normalize_activations", "none")
    if normalized != "none":
        raise DataError(
            f'load: {path}: normalize_activations: expected "none", got {normalized!r}, which the '
            f"file leaves to its caller; where it is one factor, fold it in SAELens by "
            f"sae.fold_activation_norm_scaling_factor(factor) and save again; else normalize the "
            f'activations yourself, and set it to "none" in a copy'
        )
    if config.get("dtype", "float32") not in DTYPES:
        raise DataError(
            f"load: {path}: dtype: expected one of {', '.join(list(DTYPES)[1::2])}, got "
            f"{config['dtype']!r}; save the file in one of these"
        )


def _check_tensors(path: Path, theirs: Theirs) -> None:
    features, units = theirs.sizes
    shapes = {
        "W_enc": (features, units),
        "W_dec": (units, features),
        "b_dec": (features,),
        **dict.fromkeys(ARCHITECTURES[theirs.architecture].biases, (units,)),
    }
    missing = sorted(set(shapes) - set(theirs.tensors))
    extra = sorted(set(theirs.tensors) - set(shapes))
    if missing or extra:
        raise DataError(
            f"load: {path}: expected the tensors {', '.join(shapes)} of a "
            f"{theirs.config['architecture']!r} autoencoder; missing: "
            f"{', '.join(missing) or 'none'}; not expected: {', '.join(extra) or 'none'}; the "
            f"architecture in {CONFIG} is another, or the file is damaged"
        )
    for name, shape in shapes.items():
        tensor = theirs.tensors[name]
        if tensor.shape != shape or not tensor.dtype.is_floating_point:
            raise DataError(
                f"load: {path}: {name}: expected a floating tensor of shape {shape}, as {CONFIG} "
                f"says, got {tensor.dtype} of shape {tuple(tensor.shape)}"
            )
