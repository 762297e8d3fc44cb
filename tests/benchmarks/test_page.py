"""What the page says of rows that are made up."""

from pathlib import Path

import pytest
from benchmarks.speed.arrays import LARGE, Kind
from benchmarks.speed.cases import Row
from benchmarks.speed.kept import Results, keep, kept
from benchmarks.speed.page import text
from benchmarks.speed.page.promises import promises
from benchmarks.speed.page.tables import of_control, of_sites, of_steps, values
from benchmarks.speed.page.write import PAGES, write
from benchmarks.speed.timing import Timing
from benchmarks.speed.values import ADD, SUM, gradient_name, value_name

DOCS = Path(__file__).parents[2] / "docs" / "benchmarks"
NONE = Results({}, {})
MACHINE = {"processor": "one", "threads": "1"}
MARKS = (
    *("machine", "promised", "values", "huge-pages", "in-place", "weights", "sites", "growth"),
    "control",
)


def row(group, what, limit, ratios, figures=None, without=1e-3) -> Row:
    """Return a row without spread, whose limit takes a millisecond."""
    ratios = {limit: 1.0, **ratios}
    return Row(
        group,
        what,
        limit,
        {name: Timing(*[without * ratio] * 3) for name, ratio in ratios.items()},
        {name: Timing(*[float(ratio)] * 3) for name, ratio in ratios.items()},
        figures or {},
    )


def results(*rows: Row) -> Results:
    groups: dict[str, list[Row]] = {}
    for of in rows:
        groups.setdefault(of.group, []).append(of)
    return Results(groups, dict.fromkeys(groups, MACHINE))


def arrays(ours: float, compiled: float, by_hand: float) -> list[Row]:
    """Return values and gradients of the three penalties, with the same ratios everywhere."""
    ratios = {"ours": ours, "ours, compiled": compiled, "by hand": by_hand}
    kind, names = Kind(LARGE), ("L1", "L2Squared", "TAR")
    figures = {"elements": kind.elements}
    return [
        *[row("values", value_name(name, kind), SUM, ratios, figures) for name in names],
        *[row("values", gradient_name(name, kind), ADD, ratios, figures) for name in names],
    ]


def line(table: str, of: str) -> list[str]:
    """Return the cells of the one line of a table that contains some words."""
    (found,) = [line for line in table.splitlines() if of in line]
    return [cell.strip() for cell in found.strip("| ").split(" | ")]


def test_nothing_measured_meets_nothing():
    table = promises(NONE, NONE)
    assert {cells.rsplit("|", 2)[1].strip() for cells in table.splitlines()[2:]} == {"not measured"}
    assert [n for n in range(1, 8) if f"| {n} |" in table] == list(range(1, 8))


def test_bounds_of_arrays_met():
    table = promises(results(*arrays(ours=2.0, compiled=1.5, by_hand=6.0)), NONE)
    assert line(table, "eager, over `x.sum()`")[2:] == [
        "at most 3",
        "L1 2.00, L2Squared 2.00, TAR 2.00",
        "yes",
    ]
    assert line(table, "value, by hand over ours")[3] == (
        "L1 3.00 times, L2Squared 3.00 times, TAR 3.00 times"
    )
    assert line(table, "by hand in eager over ours compiled")[-1] == "yes"


def test_bounds_of_arrays_broken():
    table = promises(results(*arrays(ours=3.01, compiled=1.71, by_hand=5.0)), NONE)
    assert line(table, "eager, over `x.sum()`")[-1] == "**no**"
    assert line(table, "value, compiled, over `x.sum()`")[-1] == "**no**"
    assert line(table, "value and gradient, by hand over ours, both eager")[-1] == "**no**"
    assert line(table, "by hand in eager over ours compiled")[-1] == "**no**"


def test_one_that_is_missing_leaves_the_line_open():
    table = promises(results(*arrays(2.0, 1.5, 6.0)[1:]), NONE)
    assert line(table, "eager, over `x.sum()`")[3:] == [
        "L1 ?, L2Squared 2.00, TAR 2.00",
        "not measured",
    ]


def step(what: str, ours: float, by_hand: float, peak: float) -> Row:
    figures = {"peak bytes an element over without: ours": peak}
    return row("steps", what, "without", {"ours": ours, "by hand": by_hand}, figures)


STEPS = [
    step("MLP 24x512, plain", 1.05, 1.08, 1.001),
    step("ResNet-26, plain", 1.01, 1.03, 1.0),
    step("transformer 12x256, plain", 1.02, 1.10, 1.0),
    step("LSTM 8x256, plain", 1.03, 1.06, 4.0),
    step("LSTM 8x256, checkpointed", 1.50, 1.06, 9.0),
    step("ResNet-26, compiled", 1.03, 1.02, 9.0),
    step("transformer 12x256, compiled", 1.01, 1.01, 9.0),
    row("steps", "MLP in Keras, plain", "without", {"activity_regularizer": 1.06}),
]


def test_bounds_of_whole_steps_met():
    table = promises(results(*STEPS), NONE)
    assert line(table, "whole steps, over those without")[3:] == [
        "transformer +2.0% (+2.0 to +2.0), ResNet +1.0% (+1.0 to +1.0)",
        "yes",
    ]
    assert line(table, "whole steps, over those with hand-written hooks")[-1] == "yes"
    assert line(table, "whole steps, compiled, over those without")[3:] == [
        "transformer +1.0% (+1.0 to +1.0), ResNet +3.0% (+3.0 to +3.0)",
        "**no**",
    ]
    assert line(table, "compiled, over those with hand-written hooks")[3:] == [
        "ResNet 1.01, transformer 1.00",
        "**no**",
    ]
    assert line(table, "ours below Keras")[3:] == ["ours 1.05, Keras 1.06", "yes"]
    assert line(table, "peak memory")[3:] == ["MLP 1.00, ResNet 1.00, transformer 1.00", "yes"]


def test_bounds_of_whole_steps_broken():
    slow = [step("MLP 24x512, plain", 1.09, 1.08, 4.0), *STEPS[1:]]
    table = promises(results(*slow), NONE)
    for words in ("steps, over those with hand-written hooks", "ours below Keras", "peak memory"):
        assert line(table, words)[-1] == "**no**"


def test_what_a_site_adds():
    site = row("sites", "24 tiny layers, forward", "without", {"ours": 2.2}, {"sites": 24}, 240e-6)
    assert line(promises(results(site), NONE), "a site on a tiny layer, forward")[3:] == [
        "of one layer: ?, of 24 layers: 12.0 µs",
        "not measured",
    ]
    assert "| 10.0 µs | 12.0 (12.0 to 12.0) |" in of_sites([site])


def test_the_share_of_a_gpu():
    kind = Kind(26)
    rows = [
        row("values", value_name(name, kind), SUM, {"ours, compiled": 1.25})
        for name in ("L1", "L2Squared", "TAR")
    ]
    assert line(promises(NONE, results(*rows)), "GPU")[3:] == [
        "L1 80.0%, L2Squared 80.0%, TAR 80.0%",
        "yes",
    ]


def test_values_are_compared_where_all_kinds_are():
    def of(kind: Kind, ours: float) -> Row:
        ratios = {"ours": ours, "by hand": 9.0}
        return row("values", value_name("L1", kind), SUM, ratios, {"elements": kind.elements})

    plain, sliced = Kind(20), Kind(20, layout="sliced")
    table = values([of(plain, 2.0), of(Kind(22), 3.0), of(sliced, 4.0)])
    above, _, below = table.partition("both eager")
    assert "2^20 | 1.00 ms | 2.00 | 9.00" in above
    assert "2^22 |" not in above
    assert line(below, "contiguous")[1:] == ["2.00 / 9.00", "3.00 / 9.00"]
    assert line(below, "sliced")[1] == "4.00 / 9.00"


def test_steps_with_other_contenders_have_a_table_of_their_own():
    table = of_steps(STEPS)
    assert table.count("`without`") == 2
    assert "+5.0% (+5.0 to +5.0), 1.00 B" in table


def control(what: str, ratios: dict[str, float]) -> Row:
    return row("control", what, "no penalty", ratios, {"steps": 10}, without=20e-3)


STRENGTHS = {
    **{"L1, by hand": 1.09, "L1, a number": 1.05, "L1, a target": 1.68},
    **{"TAR, by hand": 1.02, "TAR, a number": 1.03},
    **{"four metrics by hand": 1.08, "Monitor": 1.12},
}


def test_targets_are_compared_with_numbers_and_monitors_with_hooks():
    penalties, _, metrics = of_control([control("small", STRENGTHS)]).partition("\n\n")
    l1 = line(penalties, "small: L1")
    assert l1[1:3] == ["2.00 ms", "+9.0% (+9.0 to +9.0)"]
    assert [cell.partition("%")[0] for cell in l1[3:]] == ["+5.0", "+68.0", "+63.0"]
    assert line(metrics, "small")[2:] == ["+8.0% (+8.0 to +8.0)", "+12.0% (+12.0 to +12.0)", "1.50"]


def test_what_takes_no_target_has_an_empty_cell():
    table = of_control([control("small", STRENGTHS)])
    assert "small: TAR | 2.00 ms | +2.0% (+2.0 to +2.0) | +3.0% (+3.0 to +3.0) |  |  |" in table


def test_a_hook_that_costs_nothing_has_no_multiple():
    free = {**STRENGTHS, "four metrics by hand": 1.0}
    assert of_control([control("small", free)]).rstrip("| ").endswith("?")


@pytest.mark.parametrize(
    ("value", "said"),
    [(1.5, "1.50 s"), (0.0123, "12.3 ms"), (4.56e-6, "4.56 µs"), (250e-6, "250 µs")],
)
def test_times_have_the_unit_that_suits(value, said):
    assert text.seconds(value) == said


def by_hand(folder, marks):
    """Write the pages, with the marks spread over them in turn."""
    for number, name in enumerate(PAGES):
        parts = [
            f"by hand\n<!-- begin: {mark} -->\nold\n<!-- end: {mark} -->\n"
            for mark in marks[number :: len(PAGES)]
        ]
        (folder / name).write_text("".join(parts) + "the end\n")


def test_the_pages_keep_what_is_written_by_hand(tmp_path):
    by_hand(tmp_path, (*MARKS, "steps", "cuda"))
    write(tmp_path, results(*STEPS), NONE)
    first = {name: (tmp_path / name).read_text() for name in PAGES}
    for text_of_page in first.values():
        assert text_of_page.startswith("by hand\n")
        assert text_of_page.endswith("the end\n")
        assert "old" not in text_of_page
    whole = "".join(first.values())
    assert whole.count("by hand\n") == len(MARKS) + 2
    assert "+5.0% (+5.0 to +5.0)" in whole
    assert "There was no GPU" in whole
    assert (tmp_path / "cost-steps.png").is_file()
    write(tmp_path, results(*STEPS), NONE)
    assert {name: (tmp_path / name).read_text() for name in PAGES} == first


def test_a_mark_on_no_page_says_which(tmp_path):
    by_hand(tmp_path, MARKS[1:])
    words = "<!-- begin: machine --> and <!-- end: machine -->.*; found on no page"
    with pytest.raises(ValueError, match=words):
        write(tmp_path, NONE, NONE)


def test_a_mark_on_two_pages_says_on_which(tmp_path):
    by_hand(tmp_path, ("machine", "machine"))
    with pytest.raises(ValueError, match=r"found on cost\.md and cost-tables\.md"):
        write(tmp_path, NONE, NONE)


def test_the_pages_in_the_docs_have_every_mark_once():
    texts = "".join((DOCS / name).read_text() for name in PAGES)
    for mark in (*MARKS, "steps", "cuda"):
        assert texts.count(f"<!-- begin: {mark} -->\n") == 1
        assert texts.count(f"\n<!-- end: {mark} -->") == 1


def test_groups_are_kept_apart_by_device(tmp_path):
    keep(tmp_path, "cpu", "steps", STEPS, MACHINE)
    assert kept(tmp_path, "cpu") == results(*STEPS)
    assert kept(tmp_path, "cuda") == NONE
