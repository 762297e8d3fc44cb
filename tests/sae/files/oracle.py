"""Files of SAELens made by hand, and what its formulas give, in float64."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

FEATURES, UNITS, K = 8, 24, 3

BIASES = {
    "standard": ("b_enc",),
    "topk": ("b_enc",),
    "jumprelu": ("b_enc", "threshold"),
    "gated": ("b_gate", "b_mag", "r_mag"),
}


def relu(z):
    return np.maximum(z, 0)


def theirs_code(config, t, x):
    """The formulas of SAELens' `encode`, written out."""
    architecture = config["architecture"]
    centred = x - t["b_dec"] if config.get("apply_b_dec_to_input", True) else x
    if architecture == "gated":
        gate = centred @ t["W_enc"] + t["b_gate"]
        return (gate > 0) * relu(centred @ (t["W_enc"] * np.exp(t["r_mag"])) + t["b_mag"])
    z = centred @ t["W_enc"] + t["b_enc"]
    if architecture == "jumprelu":
        return relu(z) * (z > t["threshold"])
    if architecture == "topk":
        if config["rescale_acts_by_decoder_norm"]:
            z = z * np.linalg.norm(t["W_dec"], axis=1)
        least = np.sort(z, axis=-1)[..., -config["k"], None]
        return relu(z) * (z >= least)
    return relu(z)


def theirs_output(config, t, code):
    """The formula of SAELens' `decode`."""
    if config.get("rescale_acts_by_decoder_norm", False):
        code = code / np.linalg.norm(t["W_dec"], axis=1)
    return code @ t["W_dec"] + t["b_dec"]


@dataclass
class File:
    """A folder as SAELens writes it, with decoder norms that are not 1."""

    architecture: str
    options: dict = field(default_factory=dict)
    tensors: dict = field(default_factory=dict)

    def __post_init__(self):
        rng = np.random.default_rng(0)
        sizes = {"W_enc": (FEATURES, UNITS), "W_dec": (UNITS, FEATURES), "b_dec": (FEATURES,)}
        names = sizes | dict.fromkeys(BIASES[self.architecture], (UNITS,))
        made = {n: rng.normal(size=s).astype("float32") * 0.5 for n, s in names.items()}
        if "threshold" in made:
            made["threshold"] = np.abs(made["threshold"])
        self.tensors = made | self.tensors
        self.config = {
            "d_in": FEATURES,
            "d_sae": UNITS,
            "dtype": "float32",
            "device": "cuda",
            "apply_b_dec_to_input": True,
            "normalize_activations": "none",
            "reshape_activations": "none",
            "metadata": {"sae_lens_version": "6.54.12", "l0": 2.5},
            "architecture": self.architecture,
        }
        if self.architecture == "topk":
            self.config |= {"k": K, "rescale_acts_by_decoder_norm": False}
        self.config |= self.options

    def write(self, folder: Path, **changes) -> Path:
        folder.mkdir()
        (folder / "cfg.json").write_text(json.dumps(self.config | changes))
        save_file(self.tensors, folder / "sae_weights.safetensors")
        return folder

    def results(self, x: torch.Tensor):
        """The code and the output for `x`."""
        return formulas(self.config, self.tensors, x)


def formulas(config, tensors, x):
    """The code and the output of SAELens for `x`, in float64."""
    wide = {name: np.asarray(t, dtype="float64") for name, t in tensors.items()}
    code = theirs_code(config, wide, x.double().numpy())
    output = theirs_output(config, wide, code)
    return torch.from_numpy(code), torch.from_numpy(output)


TOLERANCES = {torch.float64: 1e-13, torch.float32: 1e-6}
"""Of the largest value."""


def assert_near(found, expected):
    """That values of a type are as near as rounding leaves them, seen from float64."""
    within = TOLERANCES[found.dtype] * max(1, float(expected.abs().max()))
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=within)
