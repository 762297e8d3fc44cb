"""Numbers by which graphs and compiled programs know objects, without keeping them alive."""

from __future__ import annotations

import itertools
import weakref
from typing import Generic, TypeVar

T = TypeVar("T")


class Handles(Generic[T]):
    """Objects of one kind by their numbers, for as long as something else keeps them."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._objects: weakref.WeakValueDictionary[int, T] = weakref.WeakValueDictionary()

    def add(self, new: T) -> int:
        """Return the number by which `new` is known from now on."""
        handle = next(self._numbers)
        self._objects[handle] = new
        return handle

    def find(self, handle: int) -> T | None:
        """Return the object of a number; None if it is no more."""
        return self._objects.get(handle)
