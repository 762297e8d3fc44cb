"""The rows of two processes, which torchrun launches, as a part of the page."""

from collections import Counter
from collections.abc import Iterator

from distributed.measure import rows

_INTRODUCTION = """\
Two processes of gloo share one batch; their averaged gradients are held against those of one
process. The hook adds the penalty of its own part to its own loss."""


def several_processes() -> Iterator[str]:
    """Yield the lines of the table."""
    yield "## Several processes\n"
    yield f"{_INTRODUCTION}\n"
    yield "| | collect, process_group= | hook |"
    yield "|---|---|---|"
    measured = rows()
    for regime in dict.fromkeys([row["regime"] for row in measured]):
        ours, hook = [
            Counter([row[who] for row in measured if row["regime"] == regime and who in row])
            for who in ("ours", "hook")
        ]
        yield f"| {regime} | {_counted(ours)} | {_counted(hook)} |"
    yield ""


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
