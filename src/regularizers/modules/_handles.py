"""Integer handles of objects, for graphs and compiled programs, which must not keep them alive."""

from __future__ import annotations

import itertools
import weakref
from typing import Generic, TypeVar

T = TypeVar("T")


class Handles(Generic[T]):
    """Maps integer handles to weakly referenced objects.

    Example:
        >>> from regularizers.modules import Handles
        >>> class Counter:
        ...     pass
        >>> handles, counter = Handles(), Counter()
        >>> handle = handles.add(counter)
        >>> handles.find(handle) is counter
        True
        >>> del counter
        >>> handles.find(handle) is None
        True
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._objects: weakref.WeakValueDictionary[int, T] = weakref.WeakValueDictionary()

    def add(self, new: T) -> int:
        """Return a new handle for the object `new`.

        Args:
            new: the object, which is not kept alive.
        """
        handle = next(self._numbers)
        self._objects[handle] = new
        return handle

    def find(self, handle: int) -> T | None:
        """Return the object of a handle; None after its end.

        Args:
            handle: what `add` returned.
        """
        return self._objects.get(handle)
