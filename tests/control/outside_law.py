"""A law as somebody else would write it: multiplicative increase, multiplicative decrease."""

import dataclasses

import torch

import regularizers as rz


@dataclasses.dataclass(frozen=True)
class Multiplicative(rz.Law):
    """Multiplies the strength where too much is measured, and divides it where too little is."""

    factor: float = 1.05

    def init(self, initial):
        return {"strength": initial}

    def update(self, state, measured, wanted, scale):
        now = state["strength"]
        strength = torch.where(measured > wanted, now * self.factor, now / self.factor)
        # above the scale the penalty outweighs the loss; NaN where none was seen
        strength = torch.where(strength > scale, scale, strength)
        return {"strength": strength}, strength
