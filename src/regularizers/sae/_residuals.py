"""The last errors of a training, and the directions that many of them share."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from regularizers.sae._joined import Joined

POOL = 24_576
"""Rows that are kept over all processes."""

BATCHES = 48
"""Batches that are kept at most, so that a look costs little where batches are small."""

RIDGE = 0.01
"""Added to the moments of inputs, relative to their mean: few rows may be kept."""

SHARPENED = 3
"""How often a direction is drawn towards the errors that it explains best."""

PRODUCTS = 2**26
"""Products of kept rows and directions that are made at once: a quarter of a GiB in float32."""

TWINS = 0.9
"""The cosine above which two directions are one."""


class Residuals:
    """The last inputs of the encoder and what was left of them.

    Args:
        batch: rows of one batch on this process.
        features: the width of inputs.
        outputs: the width of errors.
        joined: the processes that share each batch.
        like: a tensor with the dtype and device to keep them in.
        together: batches of one step, which are kept together.
    """

    def __init__(
        self,
        batch: int,
        features: int,
        outputs: int,
        joined: Joined,
        like: Tensor,
        together: int = 1,
    ) -> None:
        steps = max(POOL // (batch * joined.size * together), 1)
        slots = min(steps, BATCHES) * together
        self.inputs = like.new_zeros(slots, batch, features)
        self.errors = like.new_zeros(slots, batch, outputs)
        self.seen = 0
        self._joined = joined

    def add(self, inputs: Tensor, errors: Tensor) -> None:
        """Keep a batch in place of the oldest."""
        slot = self.seen % len(self.errors)
        self.inputs[slot], self.errors[slot] = inputs, errors
        self.seen += 1

    @property
    def rows(self) -> int:
        """The rows kept by all processes."""
        slots, batch = self.errors.shape[:2]
        return min(self.seen, slots) * batch * self._joined.size

    def kept(self) -> tuple[Tensor, Tensor]:
        """Return the inputs and the errors that this process keeps, (rows, features)."""
        filled = min(self.seen, len(self.errors))
        return self.inputs[:filled].flatten(0, 1), self.errors[:filled].flatten(0, 1)

    def directions(
        self, number: int, starts: int, share: float, cost: float, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        r"""Return directions that many errors share, those that explain most first.

        From `starts` errors v, drawn in proportion to their square, each is sharpened,

        .. math:: v \leftarrow \frac{u}{\|u\|}, \qquad u = \sum_i \max(0, e_i \cdot v)^3\, e_i

        and they are ordered by the squared error that each would take away if it were active in
        `share` of the samples, less `cost` for each of them. Of those that point alike the first
        is kept.

        Returns:
            Directions of norm 1, (at most `number`, outputs), and for each what it takes away, a
            mean over rows.
        """
        _, errors = self.kept()
        v = normalize(self._drawn(errors, starts, generator), dim=1)
        for _ in range(SHARPENED):
            v = self._sharpened(errors, v)
        of = max(int(share * self.rows), 1)
        won = [self._won(errors, part, of, cost) for part in self._parts(v)]
        won_by = torch.cat(won) / self.rows
        order = won_by.argsort(descending=True)
        v, won_by = v[order], won_by[order]
        single = ~self._is_twin(v)
        return v[single][:number], won_by[single][:number]

    def entries(self, v: Tensor) -> Tensor:
        r"""Return the directions in which errors along `v` are read from inputs, each of norm 1.

        They are those of the regression of max(0, e·v)³ on the inputs x,

        .. math:: w \propto \Big(\sum_i x_i x_i^\top + \epsilon\Big)^{-1}
            \sum_i \max(0, e_i \cdot v)^3\, x_i

        which does not fire for the directions in which inputs vary most, as v itself would.
        """
        inputs, errors = self.kept()
        pulled = [inputs.T @ _pull(errors, part) for part in self._parts(v)]
        moments = self._joined.sum(inputs.T @ inputs)
        moments.diagonal().add_(RIDGE * moments.diagonal().mean())
        read = self._joined.sum(torch.cat(pulled, dim=1))
        return normalize(torch.linalg.solve(moments, read).T, dim=1)

    def fitted(self, rows: Tensor, v: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
        """Return how units with encoder rows and directions `v` would do on what is kept.

        Args:
            rows: of the encoder, (units, features).
            v: of norm 1, (units, outputs).
            share: of the samples in which each is active.

        Returns:
            The least pre-activation at which each is active; the factor of its code that takes most
            of the squared error away, and how much that is, a mean over rows; (units,) each.
        """
        number = max(int(share * self.rows), 1)
        pairs = zip(self._parts(rows), self._parts(v), strict=True)
        parts = [self._fitted(some, along, number) for some, along in pairs]
        least, gain, won = (torch.cat(some) for some in zip(*parts, strict=True))
        return least, gain, won / self.rows

    def _fitted(self, rows: Tensor, v: Tensor, number: int) -> tuple[Tensor, Tensor, Tensor]:
        inputs, errors = self.kept()
        z = inputs @ rows.T
        least = self._joined.largest(z, number)[-1].clamp(min=0)
        code = z * (z >= least)
        along = self._joined.sum((code * (errors @ v.T)).sum(0)).clamp(min=0)
        square = self._joined.sum(code.square().sum(0)).clamp(min=torch.finfo(z.dtype).tiny)
        return least, along / square, along.square() / square

    def _parts(self, v: Tensor) -> tuple[Tensor, ...]:
        """Return directions in parts, whose products with the kept rows fit into memory."""
        rows = min(self.seen, len(self.errors)) * self.errors.shape[1]
        return torch.split(v, max(PRODUCTS // max(rows, 1), 1))

    def _sharpened(self, errors: Tensor, v: Tensor) -> Tensor:
        """Return Σ max(0, e · v)³ e over the errors, with norm 1, for each direction."""
        sums = [self._joined.sum(_pull(errors, part).T @ errors) for part in self._parts(v)]
        return normalize(torch.cat(sums), dim=1)

    def _won(self, errors: Tensor, v: Tensor, number: int, cost: float) -> Tensor:
        """Return what the largest projections take away, less the cost of each."""
        largest = self._joined.largest(errors @ v.T, number).relu_()
        return (largest.square_() - cost).clamp_(min=0).sum(0)

    def _is_twin(self, v: Tensor) -> Tensor:
        """Return of each direction whether one before it points alike."""
        found, start = [], 0
        for part in self._parts(v):
            before = v[: start + len(part)] @ part.T
            found.append((before.triu(1 - start) > TWINS).any(0))
            start += len(part)
        return torch.cat(found)

    def _drawn(self, errors: Tensor, number: int, generator: torch.Generator) -> Tensor:
        """Return errors drawn in proportion to their square, the same on every process."""
        batch, joined = self.errors.shape[1], self._joined
        squares = errors.square().sum(1).reshape(-1, batch)
        weights = joined.gather(squares, dim=1).flatten().cpu()
        number = min(number, int((weights > 0).sum()))
        drawn = torch.multinomial(weights, number, generator=generator).to(errors.device)
        # of all rows, in the order in which one process would keep them
        slot, place = drawn // (batch * joined.size), drawn % (batch * joined.size)
        mine = place // batch == joined.rank
        rows = errors.new_zeros(number, errors.shape[1])
        rows[mine] = errors[slot[mine] * batch + place[mine] % batch]
        return joined.sum(rows)


def _pull(errors: Tensor, v: Tensor) -> Tensor:
    return (errors @ v.T).relu_().pow_(3)
