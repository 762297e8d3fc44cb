"""Every penalty in every regime: the gradient is exact, or an error says what to do instead."""

from matrix.judge import Regime, judge
from matrix.methods import Method
from matrix.penalties import Case
from regularizers.errors import RegularizersError


def test_small_outputs_too(small_regime: Regime, method: Method, case: Case):
    """They are copied and read later, so that more is exact."""
    outcome = judge(small_regime, method, case, small=True)
    if outcome.kind != "exact":
        must = small_regime.must(method, case)
        assert outcome.kind == "raises", f"{outcome.kind}: {outcome.detail}"
        assert must.words, f"should be exact: {outcome.detail}"
        assert isinstance(outcome.error, RegularizersError), outcome.detail
        for words in must.words:
            assert words in str(outcome.error)


def test_is_exact_or_says_so(regime: Regime, method: Method, case: Case):
    outcome = judge(regime, method, case)
    must = regime.must(method, case)
    if outcome.kind == "exact":
        assert must.be_exact, f"exact, where an error should say {must.words}"
        return
    assert outcome.kind == "raises", f"{outcome.kind}: {outcome.detail}"
    assert must.words, f"should be exact: {outcome.detail}"
    assert isinstance(outcome.error, RegularizersError), outcome.detail
    for words in must.words:
        assert words in str(outcome.error)
