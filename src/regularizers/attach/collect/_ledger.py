"""The ledger: all records since the last collection."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterable, Iterator, Sequence
from threading import get_ident
from typing import NamedTuple, TypeAlias

from torch import Tensor

from regularizers.attach.reading import REVERSIBLE, Record
from regularizers.errors import CollectionError, RegimeError
from regularizers.modules import has_ended


class CopiedOutput(NamedTuple):
    """A copy of a small output, which is read at the next collection."""

    key: str
    x: Tensor
    denominator: float | None


class Unread(NamedTuple):
    """An output that was not read because the strength of its penalty was 0."""

    key: str


AnyRecord: TypeAlias = Record | CopiedOutput | Unread


class Ledger:
    """Records, grouped by the forward of the model that made them.

    The records of a forward count when it has ended: a forward that raises leaves none. Records of
    a module that is called outside of the model's forward count at once.
    """

    def __init__(self, max_uncollected: int) -> None:
        self.max_uncollected = max_uncollected
        self.closed = False
        self.reentrant: RegimeError | None = None
        self.backward_id: Tensor | None = None
        """The `Record.backward_id` of a running forward that compiled code began."""
        self.without_gradients: set[str] = set()
        """Sites that ran in training mode with gradients disabled."""
        self._dropped = False
        self._warned = False
        self._forwards: list[list[AnyRecord]] = []
        self._outside: dict[str, list[AnyRecord]] = {}
        self._running: list[AnyRecord] | None = None
        self._depth = 0
        self._nested = False
        self._called_itself = False
        self._thread: int | None = None
        self._several_threads = False
        self._has_compiled_records = False
        self.has_unread = False
        """Whether a tap read nothing since a strength was 0."""
        self.has_transformed = False
        """Whether a record may belong to a transform of `torch.func`."""

    def record(self, records: Sequence[AnyRecord]) -> None:
        """Add the records of one tap."""
        thread = get_ident()
        if thread != self._thread:
            self._several_threads = self._several_threads or self._thread is not None
            self._thread = thread
        self._add(records)

    def skip(self, records: Sequence[Unread]) -> None:
        """Add the records of one tap that read nothing."""
        self.has_unread = True
        self.record(records)

    def hold(self, records: Sequence[AnyRecord]) -> None:
        """Add the records of one tap in compiled code; their `backward_id` tells their thread."""
        self._has_compiled_records = self.has_transformed = True
        self._add(records)

    def _add(self, records: Sequence[AnyRecord]) -> None:
        if self._running is not None:
            self._running.extend(records)
            return
        for record in records:
            known = self._outside.setdefault(record.key, [])
            if len(known) == self.max_uncollected:
                self._drop()
                known = self._outside.setdefault(record.key, [])
            known.append(record)

    @property
    def in_forward(self) -> bool:
        """Whether a forward of the model with gradients is running."""
        return self._running is not None

    def begin(self) -> None:
        """Start the records of a forward; drop those of a forward that was interrupted."""
        self._nested = self._depth > 0
        self._depth += 1
        self._running, self.backward_id = [], None

    def commit(self) -> None:
        """Keep the records of the running forward, which has succeeded."""
        if self._running is None:
            return
        if len(self._forwards) == self.max_uncollected:
            self._drop()
        self._forwards.append(self._running)
        self._running, self.backward_id = None, None

    def end(self) -> None:
        """End the running forward; drop its records if they were not committed."""
        self._running, self.backward_id = None, None
        if not (self._forwards or self._outside):
            self._thread, self._several_threads = None, False
        self._depth -= 1
        # the forwards were nested: an interrupted one would have left the depth above 0
        if self._depth == 0 and self._nested:
            self._nested, self._called_itself = False, True

    def clear(self) -> None:
        """Drop all records and flags, as after a collection."""
        self._forwards, self._outside = [], {}
        self._running, self.backward_id = None, None
        self._dropped, self._called_itself, self._depth = False, False, 0
        self._thread, self._several_threads, self._has_compiled_records = None, False, False
        self.has_unread, self.has_transformed = False, False
        self.reentrant = None

    def records(self) -> list[AnyRecord]:
        """Return the records of forwards, without those that a checkpoint recomputed."""
        records = list(itertools.chain(*self._forwards, *self._outside.values()))
        return list(_first_run(records)) if self._has_compiled_records else records

    def check_complete(self) -> list[AnyRecord]:
        """Return the records; raise unless they are those of all forwards, each complete.

        Raises:
            CollectionError: several threads recorded, a forward has not ended, records were
                dropped, or there are none. The ledger is cleared, so the next forward starts anew.
        """
        here = get_ident()
        if (
            self._several_threads
            or self._thread not in (None, here)
            or (self._has_compiled_records and self._is_compiled_elsewhere(here))
        ):
            self.clear()
            raise CollectionError(
                "training forwards of several threads were recorded, or those of another thread "
                "than the one that collects, so it cannot be known whose penalty this is; give "
                "each thread a model with a Regularization of its own, or hold one lock from the "
                "forward until penalty() has returned"
            )
        if self._running is not None:
            self.clear()
            raise CollectionError(
                "the model's forward has not ended: call penalty() after it, not within it; if it "
                "was interrupted, run it again"
            )
        if self._called_itself:
            self.clear()
            raise CollectionError(
                "the model called itself within its own forward, so it cannot be known which "
                "records count; attach Regularization to a module around it"
            )
        if self._dropped:
            self.clear()
            raise CollectionError(
                f"more than {self.max_uncollected} forwards were not collected, and this penalty "
                f"would miss those that were dropped; the next forward starts afresh"
            )
        records = self.records()
        if not (records or self._forwards):
            if self.reentrant is not None:
                raise self.reentrant
            raise CollectionError(
                "no forward since the last collection was in training mode with gradients "
                "enabled; call penalty() once after each forward in model.train(), and "
                "attach Regularization before the model is first compiled" + self._hint()
            )
        return records

    def check_alive(self, records: Iterable[AnyRecord]) -> None:
        """Raise if a record was made in a transform of `torch.func` that has ended.

        Raises:
            CollectionError: one was. The ledger is cleared.
        """
        for record in records:
            if isinstance(record, Record) and has_ended(record.statistic):
                self.clear()
                raise CollectionError(
                    f"{record.key}: recorded within a transform of torch.func that has ended, "
                    f"so its gradient is lost; call penalty() within the function that is "
                    f"transformed, or put `with reg.paused():` around the forward if it is not "
                    f"to count"
                )

    def _is_compiled_elsewhere(self, here: int) -> bool:
        """Return whether compiled code made a record in another thread than `here`."""
        running = [] if self._running is None else self._running
        for record in itertools.chain(running, *self._forwards, *self._outside.values()):
            # a negative id is the negated id of the thread of a forward
            origin = record.backward_id if isinstance(record, Record) else None
            if origin is not None and origin.item() < 0 and origin.item() != -here:
                return True
        return False

    def _hint(self) -> str:
        if not self.without_gradients:
            return ""
        return (
            f"; {min(self.without_gradients)} ran without gradients: within {REVERSIBLE} use "
            f'Regularization(..., delivery="inject")'
        )

    def _drop(self) -> None:
        """Drop all records, so that uncollected graphs do not fill the memory."""
        self._forwards, self._outside = [], {}
        self._dropped = True
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"more than {self.max_uncollected} forwards were recorded and not collected, and "
                f"are dropped; call penalty() after each forward, run forwards that need no "
                f"penalty under torch.no_grad(), or raise Regularization(..., max_uncollected=)",
                stacklevel=2,
            )


def _first_run(records: Iterable[AnyRecord]) -> Iterator[AnyRecord]:
    """Yield the records that compiled code did not make in a backward pass."""
    in_backward: dict[int, bool] = {}  # the records of one forward share one tensor
    for record in records:
        backward = record.backward_id if isinstance(record, Record) else None
        if backward is not None:
            if id(backward) not in in_backward:
                in_backward[id(backward)] = backward.item() >= 0
            if in_backward[id(backward)]:
                continue
        yield record
