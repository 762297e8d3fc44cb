"""Sparse codes of one tensor that reconstruct another, and of several at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.modules import describe
from regularizers.sae._active import number_at
from regularizers.sae._architectures import Architecture
from regularizers.sae._autoencoder import Losses, SparseAutoencoder
from regularizers.sae._calibration import ROWS, measured_scale, start_decoder, start_encoder


class Transcoder(SparseAutoencoder):
    r"""A code of a module's input that reconstructs its output.

    .. math:: z = W_e (c\,x - m) + b_e, \qquad f = \mathrm{act}(z), \qquad
        \hat y = (W_d f + b) / c_y

    m is the mean of c·x, and c_y is measured like c. A column of the decoder starts at the mean of
    y over samples in which its unit is active. Everything else is as in `SparseAutoencoder`;
    batches of `train` are pairs (x, y).

    Args:
        features: the width of x.
        outputs: the width of y.
        units: as for `SparseAutoencoder`.
        active: likewise.
        architecture: likewise.
        nested: likewise.

    Shape:
        (..., features) to (..., outputs); the code is (..., units).

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> transcoder = rz.sae.Transcoder(features=16, outputs=4, units=64, active=4)
        >>> transcoder(torch.randn(10, 16)).shape
        torch.Size([10, 4])

    Source: Dunefsky, Chlenski and Nanda, "Transcoders find interpretable LLM feature circuits",
    2024, `arXiv:2406.11944 <https://arxiv.org/abs/2406.11944>`__.
    """

    output_scale: Tensor
    """c_y, a buffer without axes."""
    mean: Tensor
    """m, a buffer of (features,)."""

    def __init__(
        self,
        features: int,
        outputs: int,
        units: int,
        active: Any,
        architecture: Architecture = "jumprelu",
        nested: Sequence[int] | None = None,
    ) -> None:
        super().__init__(features, units, active, architecture, nested)
        if type(outputs) is not int or outputs < 1:
            raise ConfigurationError(f"outputs: expected an integer of 1 or more, got {outputs!r}")
        self.outputs = outputs
        self.decoder = nn.Linear(units, outputs)
        self.register_buffer("output_scale", torch.ones(()))
        self.register_buffer("mean", torch.zeros(features))
        with torch.no_grad():
            self.decoder.weight.copy_(normalize(torch.randn(units, outputs), dim=1).T)
            nn.init.zeros_(self.decoder.bias)

    @property
    def offset(self) -> Tensor:
        return self.mean

    def parts(self, batch: Any) -> tuple[Tensor, ...]:
        if isinstance(batch, (tuple, list)) and len(batch) >= 2:
            return batch[0], batch[1]
        raise ShapeError(
            f"data: expected batches that are pairs (x, y) of inputs and outputs, got "
            f"{describe(batch)}"
        )

    def losses(self, x: Tensor, y: Tensor) -> Losses:  # type: ignore[override]
        """Return the loss of a batch, with its errors and its code.

        Args:
            x: inputs of the module, (samples, features).
            y: its outputs, (samples, outputs).
        """
        if y.shape[-1] != self.outputs:
            raise ShapeError(
                f"y: expected a tensor whose last axis has the {self.outputs} outputs of this "
                f"transcoder, got {describe(y)}"
            )
        return self._losses(self.scaled(x), y.to(self.scale.dtype) * self.output_scale)

    def calibrate(self, x: Tensor, y: Tensor) -> None:  # type: ignore[override]
        active = number_at(self.active, None)
        scale, mean = measured_scale(self._checked(x), active)
        y = y.to(self.scale.dtype)
        output_scale, output_mean = measured_scale(y, active)
        is_new = not (self.mean.any() or self.decoder.bias.any())
        with torch.no_grad():
            self.scale.copy_(scale)
            self.mean.copy_(mean * scale)
            self.output_scale.copy_(output_scale)
            self.decoder.bias.copy_(output_mean * output_scale)
            if is_new:
                read = self.scaled(x[:ROWS]) - self.offset
                wanted = y[:ROWS] * output_scale - self.decoder.bias
                share = number_at(self.active, 0) / self.units
                start_decoder(self.decoder, self.encoder, read, wanted, share)
                start_encoder(self.encoder, self.coding, self.decoder, read, wanted, share)

    def _leave(self, decoded: Tensor) -> Tensor:
        return decoded / self.output_scale


class Crosscoder(SparseAutoencoder):
    r"""One code of several tensors that belong together, such as the layers of one token.

    .. math:: z = \sum_s W_e^{(s)} (c_s\,x_s - b_s) + b_e, \qquad f = \mathrm{act}(z), \qquad
        \hat x_s = (W_d^{(s)} f + b_s) / c_s

    It is the autoencoder of the tensors side by side, with a scale for each, such that all have
    an equal part in the loss. The norm of a column of W_d over all sites is 1; that of
    `decoder_of(site)` says how much of the unit is there. The code is in the units of c·x.

    Args:
        features: the width of each site by name.
        units: as for `SparseAutoencoder`.
        active: likewise.
        architecture: likewise.
        nested: likewise.

    Shape:
        A mapping of sites to (..., width) to another; the code is (..., units).

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> crosscoder = rz.sae.Crosscoder({"early": 8, "late": 16}, units=64, active=4)
        >>> x = {"early": torch.randn(10, 8), "late": torch.randn(10, 16)}
        >>> {site: y.shape for site, y in crosscoder(x).items()}
        {'early': torch.Size([10, 8]), 'late': torch.Size([10, 16])}
        >>> crosscoder.decoder_of("late").shape
        torch.Size([16, 64])

    Source: Lindsey et al., "Sparse crosscoders for cross-layer features and model diffing", 2024.
    """

    site_scale: Tensor
    """c_s for each feature of all sites, (all features,)."""

    def __init__(
        self,
        features: Mapping[str, int],
        units: int,
        active: Any,
        architecture: Architecture = "jumprelu",
        nested: Sequence[int] | None = None,
    ) -> None:
        if not isinstance(features, Mapping) or not features:
            raise ConfigurationError(
                f"features: expected the width of each site by name, such as "
                f"{{'early': 512, 'late': 512}}, got {features!r}"
            )
        super().__init__(sum(features.values()), units, active, architecture, nested)
        self.sites = dict(features)
        self.register_buffer("site_scale", torch.ones(self.features))

    def decoder_of(self, site: str) -> Tensor:
        """Return the part of the dictionary that reconstructs a site, (width, units).

        Args:
            site: the name of the site.

        Raises:
            ConfigurationError: there is no such site.
        """
        if site not in self.sites:
            raise ConfigurationError(
                f"site: expected one of {', '.join(map(repr, self.sites))}, got {site!r}"
            )
        return self._split(self.decoder.weight.T)[site].T

    def scaled(self, x: Mapping[str, Tensor]) -> Tensor:
        return self._checked(x) * self.site_scale

    def parts(self, batch: Any) -> tuple[Any, ...]:
        return (batch,)

    @torch.no_grad()
    def calibrate(self, x: Mapping[str, Tensor]) -> None:
        active = number_at(self.active, None) / len(self.sites)
        parts = self._split(self._checked(x)).values()
        measured = [measured_scale(part, active) for part in parts]
        scales = [scale.expand(len(mean)) for scale, mean in measured]
        self.site_scale.copy_(torch.cat(scales))
        self.decoder.bias.copy_(torch.cat([mean for _, mean in measured]) * self.site_scale)
        self._start(self.scaled({site: part[:ROWS] for site, part in x.items()}) - self.offset)

    def _leave(self, decoded: Tensor) -> dict[str, Tensor]:
        return self._split(decoded / self.site_scale)

    def _split(self, x: Tensor) -> dict[str, Tensor]:
        """Return the part of each site, of the last axis."""
        parts = torch.split(x, list(self.sites.values()), dim=-1)
        return dict(zip(self.sites, parts, strict=True))

    def _checked(self, x: Any) -> Tensor:
        """Return the tensors of all sites side by side."""
        if not isinstance(x, Mapping) or set(x) < set(self.sites):
            got = ", ".join(map(repr, x)) if isinstance(x, Mapping) else describe(x)
            raise ShapeError(
                f"x: expected a tensor for each of the sites {', '.join(map(repr, self.sites))}, "
                f"got {got}"
            )
        for site, width in self.sites.items():
            if x[site].shape[-1] != width:
                raise ShapeError(
                    f"x: expected a tensor whose last axis has the {width} features of {site!r}, "
                    f"got {describe(x[site])}"
                )
        joined = torch.cat([x[site] for site in self.sites], dim=-1)
        return joined.to(self.site_scale.dtype)
