"""Regimes in which an operation in place follows the site."""

from matrix.judge import Regime
from matrix.training import in_place, training

CHANGES = {"ReLU in place": "relu_", "residual +=": "+="}
"""Operations that change the output of a site in place, by their names in `network.AFTER`."""

REGIMES = [
    *[
        Regime(f"{name} after the site", training(after=after), must=in_place, copies=True)
        for name, after in CHANGES.items()
    ],
    Regime(
        "view output, ReLU in place",
        training(site="view", after="relu_"),
        must=in_place,
        copies=True,
    ),
    Regime(
        "identity output, residual +=",
        training(site="identity", after="+="),
        must=in_place,
        copies=True,
    ),
]
