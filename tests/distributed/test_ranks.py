"""Two processes equal one, or say why not."""

import pytest

from distributed.measure import rows

SHARDED_WEIGHTS = "FSDP2, weights of units"
NEVER_EXACT = {"a site fires on one process only", SHARDED_WEIGHTS}
IN_PARTS = {"tensor parallel, columns", "tensor parallel, after columns"}
NORMS = {"L2Norm sum", "L2Norm batch_mean", "L2Norm mean"}
RATIOS = {"Hoyer sum", "Hoyer batch_mean"}
PAIRS = {"TotalVariation mean", "Laplacian batch_mean"}
MEANS = {"L2Squared mean", "KLSparsity mean", "Hinge mean"}
OF_ALL_UNITS = {"Decorrelation", "Entropy", "ConfidencePenalty mean", "lengths of samples"}
NOT_ADDED_UP = NORMS | RATIOS | PAIRS | MEANS | OF_ALL_UNITS


@pytest.fixture(scope="module")
def measured(request):
    return rows(all_cells=request.config.option.all_cells)


def must_raise(row: dict[str, str]) -> bool:
    in_parts = row["regime"] in IN_PARTS and row["penalty"] in NOT_ADDED_UP
    return row["regime"] in NEVER_EXACT or in_parts


def test_every_cell_is_exact_or_raises_our_own_error(measured):
    wrong = [row for row in measured if row["ours"] != ("raises" if must_raise(row) else "exact")]
    assert wrong == []
    assert len(measured) >= 80


def test_what_raises_says_which_site_and_why(measured):
    for row in measured:
        if row["regime"] in IN_PARTS and must_raise(row):
            assert "RegimeError: " in row["ours says"]
            assert "under tensor parallelism this output may hold a part" in row["ours says"]
        elif row["regime"] == SHARDED_WEIGHTS:
            assert "RegimeError: squash: weights: the tensor is sharded" in row["ours says"]
        elif must_raise(row):
            assert "CollectionError: " in row["ours says"]


def test_a_hook_is_silently_wrong_where_ours_is_exact(measured):
    hook = [row["hook"] for row in measured if row["regime"] == "DDP, unequal parts"]
    assert set(hook) == {"silently wrong"}
