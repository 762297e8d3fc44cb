"""Two processes find the strength that one finds of the joined batch."""

from distributed.measure import rows


def test_every_strength_is_that_of_one_process(request):
    all_cells = request.config.option.all_cells
    found = rows("target_ranks.py", all_cells=all_cells)
    measured = {(row["regime"], row["penalty"]): row["ours"] for row in found}
    assert measured.pop(("no group", "L1, active units")) == "raises"
    assert {cell: outcome for cell, outcome in measured.items() if outcome != "exact"} == {}
    assert len(measured) == (18 if all_cells else 14)
