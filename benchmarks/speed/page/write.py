"""Writes the tables into the pages, between the texts written by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.speed.cases import Row
from benchmarks.speed.kept import Results
from benchmarks.speed.machine import Machine
from benchmarks.speed.page import plots
from benchmarks.speed.page.promises import promises
from benchmarks.speed.page.tables import TABLES

NOT_MEASURED = "*Not measured.*"

PAGES = ("cost.md", "cost-tables.md", "cost-steps-tables.md")
"""The summary first; the tables stand on the other two."""

PLOTS: dict[str, tuple[str, Callable[[Sequence[Row], Path], None]]] = {
    "sizes": ("values", plots.draw_sizes),
    "growth": ("growth", plots.draw_growth),
    "steps": ("steps", plots.draw_steps),
}


def write(folder: Path, cpu: Results, cuda: Results) -> None:
    """Write the measurements into the pages of a folder, and the plots beside them.

    A group that was not measured is marked so, and its plot stays as it is.

    Raises:
        ValueError: a mark is on no page, or on several.
    """
    texts = {name: (folder / name).read_text() for name in PAGES}
    for mark, content in _contents(cpu, cuda).items():
        page = _page_of(mark, texts)
        texts[page] = _put(texts[page], mark, content)
    for name, text in texts.items():
        (folder / name).write_text(text)
    for name, (group, draw) in PLOTS.items():
        if rows := cpu.of(group):
            draw(rows, folder / f"cost-{name}.png")


def _contents(cpu: Results, cuda: Results) -> dict[str, str]:
    """Return what stands between the marks of each name."""
    tables = {
        group: table(rows) if (rows := cpu.of(group)) else NOT_MEASURED
        for group, table in TABLES.items()
    }
    return {
        "machine": _machines(cpu),
        "promised": promises(cpu, cuda),
        **tables,
        "cuda": _on_cuda(cuda),
    }


def _marks(name: str) -> tuple[str, str]:
    return f"<!-- begin: {name} -->", f"<!-- end: {name} -->"


def _page_of(mark: str, texts: Mapping[str, str]) -> str:
    """Return the one page that has both marks of a name."""
    begin, end = _marks(mark)
    pages = [page for page, text in texts.items() if begin in text and end in text]
    if len(pages) != 1:
        raise ValueError(
            f"one of {', '.join(texts)} needs the lines {begin} and {end}, to put a table between; "
            f"found on {' and '.join(pages) or 'no page'}"
        )
    return pages[0]


def _put(text: str, name: str, content: str) -> str:
    """Put content between the two marks of a name."""
    begin, end = _marks(name)
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
