"""Which processes share one batch."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch.distributed as dist

from regularizers.errors import ConfigurationError, RegimeError

ProcessGroup: TypeAlias = dist.ProcessGroup | Literal["world", "local"] | None
"""A group, all processes, each by itself, or nothing said."""


class Processes:
    """The processes that share one batch, looked up when they are first needed.

    Args:
        said: what the user said of them.

    Raises:
        ConfigurationError: something else than a process group, `"world"`, `"local"` or None.
    """

    def __init__(self, said: ProcessGroup) -> None:
        is_group = dist.is_available() and isinstance(said, dist.ProcessGroup)
        if not (said in (None, "world", "local") or is_group):
            raise ConfigurationError(
                f"process_group: expected a torch.distributed.ProcessGroup, 'world', 'local' or "
                f"None, got {said!r}"
            )
        self._said = said

    @property
    def group(self) -> dist.ProcessGroup | None:
        """The group to join statistics over; None where each process is by itself."""
        if self._said == "world":
            return dist.group.WORLD if _are_several() else None
        return None if self._said == "local" else self._said

    @property
    def size(self) -> int:
        """How many processes share the batch."""
        group = self.group
        return 1 if group is None else dist.get_world_size(group)

    def are_unsaid(self) -> bool:
        """Return whether several processes are running and nothing was said of them."""
        return self._said is None and _are_several()

    def check_said(self, site: str, what: str) -> None:
        """Raise if several processes are running and nothing was said of them.

        Args:
            site: where it matters.
            what: why, as the subject of a sentence.

        Raises:
            RegimeError: the user has to say whether they share one batch.
        """
        if self.are_unsaid():
            raise RegimeError(
                f"{site}: {what} is not the same for each process's part of the batch as for the "
                f"whole; say Regularization(..., process_group='world') if the processes share "
                f"one batch, a group of them, or 'local' if each has a whole batch of its own, as "
                f"under tensor parallelism"
            )


def _are_several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
