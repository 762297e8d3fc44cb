"""Integer handles of objects, for graphs and compiled programs, which must not keep them alive."""

from __future__ import annotations

import itertools
import weakref
from typing import Generic, TypeVar

T = TypeVar("T")


class Handles(Generic[T]):
    """Maps integer handles to weakly referenced objects."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._objects: weakref.WeakValueDictionary[int, T] = weakref.WeakValueDictionary()

    def add(self, new: T) -> int:
        """Return a new handle for the object `new`."""
        handle = next(self._numbers)
        self._objects[handle] = new
        return handle

    def find(self, handle: int) -> T | None:
        """Return the object of a handle; None after its end."""
        return self._objects.get(handle)
