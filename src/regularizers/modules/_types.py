"""How a part of an output is named, and which of its elements count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Select: TypeAlias = int | str | Callable[[Any], Any]
"""An index, a key or attribute, or a function of the output."""

Mask: TypeAlias = Callable[..., Any]
"""From the inputs of a module to a boolean tensor over the leading axes of its output."""
