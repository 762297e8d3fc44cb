"""What the taps recorded since the last collection."""

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


class Waiting(NamedTuple):
    """A copy of a small output, which one penalty is still to read."""

    key: str
    x: Tensor
    denominator: float | None


class Unread(NamedTuple):
    """An output that was left unread, as the strength of a penalty was 0."""

    key: str


AnyRecord: TypeAlias = Record | Waiting | Unread


class Ledger:
    """Records, grouped by the forward of the model they came from.

    The records of a forward count once it has ended: an exception in the middle leaves none. A
    module called outside of the model's own forward counts at once.
    """

    def __init__(self, max_uncollected: int) -> None:
        self.max_uncollected = max_uncollected
        self.closed = False
        self.reentrant: RegimeError | None = None
        self.backward_id: Tensor | None = None
        """Of a forward that compiled code begins: as in `Record`."""
        self.without_gradients: set[str] = set()
        """Sites that ran in training mode where gradients were disabled."""
        self._dropped = False
        self._warned = False
        self._forwards: list[list[AnyRecord]] = []
        self._outside: dict[str, list[AnyRecord]] = {}
        self._running: list[AnyRecord] | None = None
        self._begun = 0
        self._begun_twice = False
        self._called_itself = False
        self._thread: int | None = None
        self._several = False
        self._holds_compiled = False

    def record(self, records: Sequence[AnyRecord]) -> None:
        """Take what one tap read."""
        thread = get_ident()
        if thread != self._thread:
            self._several = self._several or self._thread is not None
            self._thread = thread
        if self._running is not None:
            self._running.extend(records)
        else:
            self._record_outside(records)

    def hold(self, records: Sequence[AnyRecord]) -> None:
        """Take what one tap read within compiled code, whose records know their thread."""
        self._holds_compiled = True
        if self._running is not None:
            self._running.extend(records)
        else:
            self._record_outside(records)

    def _record_outside(self, records: Sequence[AnyRecord]) -> None:
        for record in records:
            known = self._outside.setdefault(record.key, [])
            if len(known) == self.max_uncollected:
                self._drop()
                known = self._outside.setdefault(record.key, [])
            known.append(record)

    @property
    def in_forward(self) -> bool:
        """Whether a forward of the model is running, with gradients."""
        return self._running is not None

    def begin(self) -> None:
        """Hold what is recorded from here on; what is held already was interrupted."""
        self._begun_twice = self._begun > 0
        self._begun += 1
        self._running, self.backward_id = [], None

    def commit(self) -> None:
        """Let what is held count: the forward ended well."""
        if self._running is None:
            return
        if len(self._forwards) == self.max_uncollected:
            self._drop()
        self._forwards.append(self._running)
        self._running, self.backward_id = None, None

    def end(self) -> None:
        """Forget what is still held: its forward raised."""
        self._running, self.backward_id = None, None
        if not (self._forwards or self._outside):
            self._thread, self._several = None, False
        self._begun -= 1
        # a forward that began within another one, rather than after one that was interrupted
        if self._begun == 0 and self._begun_twice:
            self._begun_twice, self._called_itself = False, True

    def take(self) -> list[AnyRecord]:
        """Return what was recorded, and hold none of it any more."""
        records = list(self.records())
        self.clear()
        return records

    def clear(self) -> None:
        """Hold nothing, as after a collection."""
        self._forwards, self._outside = [], {}
        self._running, self.backward_id = None, None
        self._dropped, self._called_itself, self._begun = False, False, 0
        self._thread, self._several, self._holds_compiled = None, False, False
        self.reentrant = None

    def records(self) -> Iterator[AnyRecord]:
        """Yield what was recorded in forwards, and not when a checkpoint repeated one; it stays."""
        within: dict[int, bool] = {}  # one forward's records have one tensor to ask
        for record in itertools.chain(*self._forwards, *self._outside.values()):
            backward = record.backward_id if isinstance(record, Record) else None
            if backward is not None:
                if id(backward) not in within:
                    within[id(backward)] = backward.item() >= 0
                if within[id(backward)]:
                    continue
            yield record

    def check_complete(self) -> None:
        """Raise unless what is held is what was recorded in whole forwards.

        Raises:
            CollectionError: several threads recorded, a forward has not ended, some were dropped,
                or there was none. What is held is cleared, so that the next forward starts afresh.
        """
        if self._is_of_several_threads():
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
        if not self._forwards and not any(self.records()):
            if self.reentrant is not None:
                raise self.reentrant
            raise CollectionError(
                "no forward since the last collection was in training mode with gradients "
                "enabled; call penalty() once after each forward in model.train(), and "
                "attach Regularization before the model is first compiled" + self._hint()
            )

    def check_alive(self, records: Iterable[AnyRecord]) -> None:
        """Raise if one of the records was made in a transform of `torch.func` that has ended.

        Raises:
            CollectionError: one was. What is held is cleared.
        """
        for record in records:
            if isinstance(record, Record) and has_ended(record.statistic):
                self.clear()
                raise CollectionError(
                    f"{record.key}: recorded within a transform of torch.func that has ended, "
                    f"where its gradient stayed; call penalty() within the function that is "
                    f"transformed, or, if its forward is not to count, put `with reg.paused():` "
                    f"around it"
                )

    def _is_of_several_threads(self) -> bool:
        """Return whether not all records were made by the thread that calls this."""
        here = get_ident()
        if self._several or self._thread not in (None, here):
            return True
        if not self._holds_compiled:
            return False
        running = [] if self._running is None else self._running
        for record in itertools.chain(running, *self._forwards, *self._outside.values()):
            said = record.backward_id if isinstance(record, Record) else None
            if said is not None and said.item() < 0 and said.item() != -here:
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
        """Hold no graph that nobody asks for."""
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
