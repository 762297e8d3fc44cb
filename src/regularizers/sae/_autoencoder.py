"""The sparse autoencoder: a code of few active units between two linear maps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from regularizers.attach import AnyRule, Regularization, constraint
from regularizers.constraints import UnitNorm
from regularizers.errors import ConfigurationError, ShapeError
from regularizers.layers import Gated, JumpReLU
from regularizers.modules import describe
from regularizers.sae._active import check_active, number_at
from regularizers.sae._architectures import Architecture, coding_of
from regularizers.sae._calibration import ROWS, measured_scale, start_encoder


class Losses(NamedTuple):
    """What a training step needs, in the units in which c·x has the size of the code.

    Attributes:
        loss: the squared error of the reconstruction, summed over features, averaged over samples;
            a scalar.
        error: what is left of the target, (samples, features).
        code: the code, (samples, units).
        target: what is to be reconstructed, (samples, features).
        scaled: c·x, which the encoder reads, (samples, features).

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(features=8, units=32, active=2)
        >>> found = sae.losses(torch.randn(64, 8))
        >>> found.loss.shape, found.error.shape, found.code.shape
        (torch.Size([]), torch.Size([64, 8]), torch.Size([64, 32]))
        >>> torch.isclose(found.loss, found.error.square().sum(1).mean()).item()
        True
    """

    loss: Tensor
    error: Tensor
    code: Tensor
    target: Tensor
    scaled: Tensor


class Encoder(nn.Linear):
    """W (x − offset) + b, with the offset folded into b.

    So the gradient of the offset needs no gradient of the input, which is one large product.
    """

    def forward(self, x: Tensor, offset: Tensor) -> Tensor:  # type: ignore[override]
        """Return the pre-activations."""
        return linear(x, self.weight, self.bias - self.weight @ offset)


class SparseAutoencoder(nn.Module):
    r"""A dictionary of directions, few of them active in each sample.

    .. math:: z = W_e (c\,x - b) + b_e, \qquad f = \mathrm{act}(z), \qquad
        \hat x = (W_d f + b) / c

    `active` says how many units are active in a sample, on average, whatever the architecture. In
    `"jumprelu"`, `"gated"` and `"l1"` a penalty with a target holds it; `"topk"` counts in each
    sample, `"batchtopk"` in each batch. Each column of W_d is the direction of one unit and has
    norm 1, so that no penalty is evaded by a small code and a large dictionary.

    c is measured by `calibrate`, such that an active unit is about 1, and b starts at the mean.
    What goes in and what comes out is in the units of x: `encode` returns f / c.

    Args:
        features: the width of x.
        units: the units of the code, usually several times the features.
        active: units active in a sample, on average; or a schedule of them.
        architecture: `"jumprelu"` (`arXiv:2407.14435 <https://arxiv.org/abs/2407.14435>`__),
            `"topk"` (`arXiv:2406.04093 <https://arxiv.org/abs/2406.04093>`__), `"batchtopk"`
            (`arXiv:2412.06410 <https://arxiv.org/abs/2412.06410>`__), `"gated"`
            (`arXiv:2404.16014 <https://arxiv.org/abs/2404.16014>`__) or `"l1"`.
        nested: numbers of units; each prefix of the code of so many units is to reconstruct by
            itself as well (Matryoshka, `arXiv:2503.17547 <https://arxiv.org/abs/2503.17547>`__).
            The whole code is the last of them.

    Shape:
        (..., features) to (..., features); the code is (..., units).

    Raises:
        ConfigurationError: sizes that are no positive integers, `active` not below `units`, an
            unknown architecture, or prefixes that do not grow up to the number of units.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(features=16, units=64, active=4)
        >>> x = torch.randn(1000, 16)
        >>> sae.encode(x).shape, sae(x).shape
        (torch.Size([1000, 64]), torch.Size([1000, 16]))
        >>> sae.decoder.weight.norm(dim=0).allclose(torch.ones(64))
        True

    Source: Bricken et al., "Towards monosemanticity", 2023; the papers of the architectures.
    """

    scale: Tensor
    """c, a buffer without axes."""

    def __init__(
        self,
        features: int,
        units: int,
        active: Any,
        architecture: Architecture = "jumprelu",
        nested: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        for name, size in (("features", features), ("units", units)):
            if type(size) is not int or size < 1:
                raise ConfigurationError(f"{name}: expected an integer of 1 or more, got {size!r}")
        self.features, self.units, self.architecture = features, units, architecture
        self.active = check_active(active, units, features)
        self.nested = None if nested is None else _prefixes(nested, units)
        self._coding = coding_of(architecture)
        self.encoder = Encoder(features, units)
        self.coding: nn.Module = self._coding.layer(units, number_at(self.active, 0))
        self.decoder = nn.Linear(units, features)
        self.register_buffer("scale", torch.ones(()))
        with torch.no_grad():
            directions = normalize(torch.randn(units, features), dim=1)
            self.encoder.weight.copy_(directions)
            self.decoder.weight.copy_(directions.T)
            nn.init.zeros_(self.encoder.bias)
            nn.init.zeros_(self.decoder.bias)

    def encode(self, x: Any) -> Tensor:
        """Return the code f / c, in the units of `x`, of shape (..., units).

        Args:
            x: (..., features).
        """
        return self._code(x) / self.scale

    def decode(self, code: Tensor) -> Any:
        """Return the reconstruction from what `encode` returns, of shape (..., features).

        Args:
            code: (..., units).
        """
        return self._leave(self.decoder(code * self.scale))

    def forward(self, x: Any) -> Any:
        """Return the reconstruction of `x`."""
        return self._leave(self.decoder(self._code(x)))

    def losses(self, x: Any) -> Losses:
        """Return the loss of a batch, with its errors and its code; (samples, features).

        The loss is the squared error in the units of c·x, summed over features and averaged over
        samples; for nested prefixes it is the mean of theirs. `"gated"` adds the error of what its
        gates alone reconstruct, through a dictionary that is held constant. Penalties are no part
        of it: `regularization()` has them.

        Args:
            x: (samples, features).
        """
        scaled = self.scaled(x)
        return self._losses(scaled, scaled)

    def scaled(self, x: Any) -> Tensor:
        """Return c·x, from which the encoder takes `offset`."""
        return self._checked(x) * self.scale

    @property
    def offset(self) -> Tensor:
        """What the encoder takes off c·x, which is the bias of the decoder."""
        return self.decoder.bias

    def parts(self, batch: Any) -> tuple[Any, ...]:
        """Return what `losses` takes of a batch, which is the first of a tuple."""
        return (batch[0],) if isinstance(batch, (tuple, list)) else (batch,)

    def rules(self) -> list[AnyRule]:
        """Return the rules that training keeps: the target of active units, columns of norm 1."""
        unit_norm = constraint(UnitNorm(axis="input"), where="decoder")
        return [*self._coding.rules(self.active), unit_norm]

    def regularization(self, **options: Any) -> Regularization:
        """Return a `Regularization` of `rules()`, for a loop of one's own.

        Args:
            options: as for `Regularization`, such as `process_group="world"`.

        Example:
            >>> import regularizers as rz
            >>> sae = rz.sae.SparseAutoencoder(features=16, units=64, active=4)
            >>> sae.regularization()  # thresholds of 0 or more, columns of norm 1
            Regularization((root) SparseAutoencoder: 1 activity, 2 constraint)
        """
        return Regularization(self, self.rules(), **options)

    def become(self, coding: JumpReLU) -> None:
        """Take another nonlinearity, with which this is a `"jumprelu"` autoencoder."""
        self.coding = coding
        self.architecture, self._coding = "jumprelu", coding_of("jumprelu")

    @torch.no_grad()
    def calibrate(self, x: Any) -> None:
        r"""Measure c and the mean of the data: c² Σ (x − x̄)² is the number of active units.

        An encoder that is still as it was made is scaled such that x̂ does not overshoot, and
        thresholds of JumpReLU are set such that so many units are active.

        Args:
            x: samples, (samples, features); a few thousand are enough.

        Raises:
            DataError: samples that are all the same, or not finite.
        """
        scale, mean = measured_scale(self._checked(x), number_at(self.active, None))
        self.scale.copy_(scale)
        self.decoder.bias.copy_(mean * scale)
        self._start(self.scaled(x[:ROWS]) - self.offset)

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"{self.features}, {self.units}, active={self.active!r}, {self.architecture!r}" + (
            "" if self.nested is None else f", nested={self.nested}"
        )

    def _start(self, read: Tensor) -> None:
        """Start an encoder that is as it was made, by samples with the offset taken off."""
        if torch.equal(self.encoder.weight, self.decoder.weight.T):
            share = number_at(self.active, 0) / self.units
            start_encoder(self.encoder, self.coding, self.decoder, read, read, share)

    def _code(self, x: Any) -> Tensor:
        code: Tensor = self.coding(self.encoder(self.scaled(x), self.offset))
        return code

    def _leave(self, decoded: Tensor) -> Any:
        """Return what the decoder gives, in the units of x."""
        return decoded / self.scale

    def _losses(self, scaled: Tensor, target: Tensor) -> Losses:
        """Return `losses` of what the encoder reads, and of a target in the units of the code."""
        z = self.encoder(scaled, self.offset)
        if not isinstance(self.coding, Gated):
            code = self.coding(z)
            errors = self._errors(target, code)
            loss = _mean_square(errors)
        else:
            gates = self.coding.gate(z)
            code = self.coding(z, gates)
            errors = self._errors(target, code)
            decoder = self.decoder
            by_gates = linear(gates, decoder.weight.detach(), decoder.bias.detach())
            loss = _mean_square(errors) + _mean_square([target - by_gates])
        return Losses(loss, errors[-1], code, target, scaled)

    def _errors(self, target: Tensor, code: Tensor) -> list[Tensor]:
        """Return what each prefix of the code leaves of the target, the whole code last."""
        if self.nested is None:
            return [target - self.decoder(code)]
        left, errors = target - self.decoder.bias, []
        for start, stop in pairwise((0, *self.nested)):
            left = left - linear(code[..., start:stop], self.decoder.weight[:, start:stop])
            errors.append(left)
        return errors

    def _checked(self, x: Tensor) -> Tensor:
        """Return `x` in the dtype of the autoencoder; raise unless it has the features."""
        if not isinstance(x, Tensor) or x.ndim == 0 or x.shape[-1] != self.features:
            raise ShapeError(
                f"x: expected a tensor whose last axis has the {self.features} features of this "
                f"autoencoder, got {describe(x)}"
            )
        return x.to(self.scale.dtype)


def _mean_square(errors: list[Tensor]) -> Tensor:
    """Return the squares summed over features, as means over samples and over errors."""
    return torch.stack([error.square().sum(-1).mean() for error in errors]).mean()


def _prefixes(nested: Sequence[int], units: int) -> tuple[int, ...]:
    """Return the prefixes, with the whole code as the last one."""
    sizes = tuple(nested)
    if sizes and sizes[-1] != units:
        sizes = (*sizes, units)
    ordered = all(type(size) is int and size > 0 for size in sizes) and all(
        a < b for a, b in pairwise(sizes)
    )
    if not sizes or not ordered or sizes[-1] != units:
        raise ConfigurationError(
            f"nested: expected growing numbers of units, at most {units}, such as "
            f"({max(units // 4, 1)}, {max(units // 2, 1)}, {units}), got {nested!r}"
        )
    return sizes
