"""Which processes share one batch."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch.distributed as dist

from regularizers.errors import ConfigurationError, RegimeError

ProcessGroup: TypeAlias = dist.ProcessGroup | Literal["world", "local"] | None
"""A group, all processes, each process by itself, or not stated."""


class Processes:
    """The processes that share one batch, looked up when they are first needed.

    Args:
        stated: the argument `process_group` of the user.

    Raises:
        ConfigurationError: not a process group, `"world"`, `"local"` or None.

    Example:
        >>> from regularizers.modules import Processes
        >>> processes = Processes("world")
        >>> processes.size  # `torch.distributed` is not initialised
        1
    """

    def __init__(self, stated: ProcessGroup) -> None:
        is_group = dist.is_available() and isinstance(stated, dist.ProcessGroup)
        if not (stated in (None, "world", "local") or is_group):
            raise ConfigurationError(
                f"process_group: expected a torch.distributed.ProcessGroup, 'world', 'local' or "
                f"None, got {stated!r}"
            )
        self._stated = stated

    @property
    def group(self) -> dist.ProcessGroup | None:
        """The group that shares the batch; None if each process is by itself."""
        if self._stated == "world":
            return dist.group.WORLD if are_several() else None
        return None if self._stated == "local" else self._stated

    @property
    def size(self) -> int:
        """How many processes share the batch."""
        group = self.group
        return 1 if group is None else dist.get_world_size(group)

    def stated_group(self, site: str, what: str) -> dist.ProcessGroup | None:
        """Return `group` after `check_stated`.

        Args:
            site: the site whose penalty depends on the group.
            what: the reason, as the subject of a sentence.
        """
        if self._stated is None:
            self.check_stated(site, what)
            return None
        return self.group

    def are_unstated(self) -> bool:
        """Return whether several processes are running and the user stated no group."""
        return self._stated is None and are_several()

    def check_stated(self, site: str, what: str) -> None:
        """Raise if several processes are running and the user stated no group.

        Args:
            site: the site whose penalty depends on the group.
            what: the reason, as the subject of a sentence.

        Raises:
            RegimeError: the user must state whether the processes share one batch.
        """
        if self.are_unstated():
            raise RegimeError(
                f"{site}: {what} is not the same for each process's part of the batch as for the "
                f"whole; say Regularization(..., process_group='world') if the processes share "
                f"one batch, a group of them, or 'local' if each has a whole batch of its own, as "
                f"under tensor parallelism"
            )


def are_several() -> bool:
    """Return whether more than one process is running.

    Example:
        >>> from regularizers.modules import are_several
        >>> are_several()
        False
    """
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
