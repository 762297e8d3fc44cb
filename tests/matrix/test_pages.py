"""The pages in docs/ are what the writer makes of their own figures, read back."""

import re
from pathlib import Path

import pytest

from matrix.judge import Outcome
from matrix.kept import Row
from matrix.page import summary, tables

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"
KINDS = {
    "exact": "exact",
    "raise": "raises",
    "silently wrong": "wrong",
    "wrong in the loss": "wrong loss",
}
SEVERAL, MESSAGES = "Several processes", "What the errors say"


def sections(page):
    """Return the lines of each section."""
    _, *parts = re.split(r"^## ", page, flags=re.MULTILINE)
    return {title: text.splitlines() for title, _, text in (part.partition("\n") for part in parts)}


def cells(line):
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def kinds(cell):
    """Return a kind for each counted cell of the matrix."""
    return [
        KINDS.get(kind, kind)
        for count, kind in (part.split(" ", 1) for part in cell.split(", ") if part)
        for _ in range(int(count))
    ]


def table_of(lines):
    header, _, *rows = [cells(line) for line in lines if line.startswith("|")]
    return [(row[0], dict(zip(header[1:], row[1:], strict=True))) for row in rows]


def read(page):
    """Return the rows and those of two processes from which a page was written."""
    found = sections(page)
    rows = {
        name: Row(name, {m: [Outcome(k) for k in kinds(cell)] for m, cell in row.items() if cell})
        for title, lines in found.items()
        if title not in (SEVERAL, MESSAGES)
        for name, row in table_of(lines)
    }
    for where, message in re.findall(r"^- (.+):\n  `(.+)`$", "\n".join(found[MESSAGES]), re.M):
        for place in where.split("; "):
            name, method = re.fullmatch(r"(.+) \((.+?(?:\(.+\))?)\)", place).groups()
            outcomes = rows[name].outcomes[method]
            outcomes[:] = [
                o._replace(detail=message) if o.kind == "raises" else o for o in outcomes
            ]
    processes = []
    for regime, row in table_of(found[SEVERAL]):
        for who, cell in zip(("ours", "hook"), row.values(), strict=True):
            processes += [{"regime": regime, who: kind} for kind in kinds(cell)]
    return rows, processes


@pytest.fixture(scope="module")
def page():
    return (DOCS / "regimes-tables.md").read_text(encoding="utf-8")


def test_the_tables_are_what_the_writer_makes(page):
    """How many penalties there are is said of the day on which they were measured."""
    today, then = [
        re.sub(r"\d+ penalties", "N penalties", text)
        for text in (tables(*read(page), brief=True), page)
    ]
    assert today == then


def test_the_summary_is_what_the_writer_makes_of_the_tables(page):
    assert summary(*read(page)) == (DOCS / "correctness.md").read_text(encoding="utf-8")


def test_what_the_tables_count_is_in_the_summary(page):
    rows, _ = read(page)
    rows["eager"].outcomes["inject"][0] = Outcome("wrong")
    changed = summary(rows, read(page)[1])
    first, second = [
        line for line in changed.splitlines() if "silently wrong" in line and "1 sil" in line
    ]
    assert first.startswith("| the library |")
    assert second.startswith("| [Plain PyTorch](regimes-tables.md#plain-pytorch) |")


def test_messages_stand_beside_their_regimes(page):
    rows, processes = read(page)
    rows["eager"].outcomes["collect"][:] = [Outcome("raises", "E: no\nmore")]
    assert "- eager (collect):\n  `E: no`" in tables(rows, processes)
