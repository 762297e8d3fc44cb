"""Two processes find the strength that one finds of the joined batch."""

from distributed.measure import rows


def test_every_strength_is_that_of_one_process():
    measured = {(row["regime"], row["penalty"]): row["ours"] for row in rows("target_ranks.py")}
    assert measured.pop(("no group", "L1, active units")) == "raises"
    assert {cell: outcome for cell, outcome in measured.items() if outcome != "exact"} == {}
    assert len(measured) == 18
