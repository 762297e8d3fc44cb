"""Writes the tables into the page, between the texts written by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.speed.cases import Row
from benchmarks.speed.kept import Results
from benchmarks.speed.machine import Machine
from benchmarks.speed.page import plots
from benchmarks.speed.page.promises import promises
from benchmarks.speed.page.tables import TABLES

NOT_MEASURED = "*Not measured.*"

PLOTS: dict[str, tuple[str, Callable[[Sequence[Row], Path], None]]] = {
    "sizes": ("values", plots.draw_sizes),
    "growth": ("growth", plots.draw_growth),
    "steps": ("steps", plots.draw_steps),
}


def write(page: Path, cpu: Results, cuda: Results) -> None:
    """Write the measurements into the page, and the plots beside it.

    What was not is marked so, and its plot stays as it is.
    """
    text = page.read_text()
    text = _put(text, "machine", _machines(cpu))
    text = _put(text, "promised", promises(cpu, cuda))
    for group, table in TABLES.items():
        rows = cpu.of(group)
        text = _put(text, group, table(rows) if rows else NOT_MEASURED)
    text = _put(text, "cuda", _on_cuda(cuda))
    page.write_text(text)
    for name, (group, draw) in PLOTS.items():
        if rows := cpu.of(group):
            draw(rows, page.with_name(f"{page.stem}-{name}.png"))


def _put(text: str, name: str, content: str) -> str:
    """Put content between the two marks of a name.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    if begin not in text or end not in text:
        raise ValueError(f"the page needs the lines {begin} and {end}, to put a table between")
    between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    return between.sub(lambda _: f"{begin}\n{content}\n{end}", text)


def _machines(results: Results) -> str:
    """Return the machines that the groups were measured on; usually the same for all."""
    if not results.machines:
        return NOT_MEASURED
    groups: dict[str, list[str]] = {}
    for group, machine in results.machines.items():
        groups.setdefault(_in_words(machine), []).append(group)
    if len(groups) == 1:
        return next(iter(groups)) + "."
    return "\n".join([f"- {', '.join(of)}: {words}" for words, of in groups.items()])


def _in_words(machine: Machine) -> str:
    return "; ".join(f"{name} {value}" for name, value in machine.items())


def _on_cuda(cuda: Results) -> str:
    if not cuda.rows:
        return (
            f"{NOT_MEASURED} There was no GPU. `torch.compile` is the way to read a large output "
            "in one pass there."
        )
    tables = [f"### {group}\n\n{TABLES[group](rows)}" for group, rows in cuda.rows.items()]
    return "\n\n".join([_machines(cuda), *tables])
