"""Problems with names, to compare methods on."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

_SMALL = {"features": 256, "dimensions": 64}

PROBLEMS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "A2": {**_SMALL, "active": 2.8},
        "A8": {**_SMALL, "active": 8.0},
        "B8": {
            "features": 1024,
            "dimensions": 128,
            "active": 8.0,
            "probabilities": "power",
            "exponent": 0.8,
            "highest": 0.3,
            "correlation_rank": 32,
            "correlation_scale": 0.1,
        },
    }
)
"""A: equal probabilities, independent. B: a power law, correlated. The digit is the true L0."""
