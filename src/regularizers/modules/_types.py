"""Types of the arguments that select a part of an output and mask its elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Select: TypeAlias = int | str | Callable[[Any], Any]
"""An index, a key or attribute, or a function of the output."""

Mask: TypeAlias = Callable[..., Any]
"""Maps the inputs of a module to a boolean tensor over the leading axes of its output."""
