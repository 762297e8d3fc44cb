"""A trimmed run of the fuzzer, the cases it kept, and the proof that it can fail."""

from collections import Counter

import pytest
import torch

import fuzz.case
import regularizers as rz
from fuzz.case import Case, Part, RegSpec, RuleSpec, StepSpec, Thresholds
from fuzz.draw import draw
from fuzz.kept import KEPT
from fuzz.shrink import shrink
from fuzz.thresholds import sizes
from fuzz.trial import control, run
from fuzz.verdict import Invalid, Mismatch, Verdict, check, first_words

# a fault is put into the gradient of every kernel
from regularizers.attach.reading import _eager

# a fault is put into the step of every optimizer
from regularizers.attach.step import _foreach_gradients
from regularizers.errors import RegimeError
from regularizers.penalties.kernels import SquaresKernel, thresholds

BLOCK = 75
BLOCKS = range(10)  # of seeds; `make fuzz` runs thousands more


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.sampled(every=2)
@pytest.mark.parametrize("number", BLOCKS)
def test_random_programs_are_exact_or_raise(number):
    verdicts = {seed: run(draw(seed)) for seed in range(number * BLOCK, (number + 1) * BLOCK)}
    assert {seed: v for seed, v in verdicts.items() if v.is_finding} == {}
    kinds = Counter(v.kind for v in verdicts.values())
    assert kinds["exact"] >= 0.6 * BLOCK
    assert kinds["invalid"] <= 0.1 * BLOCK


@pytest.mark.parametrize("name", KEPT)
def test_what_failed_once(name):
    case, kind = KEPT[name]
    verdict = run(case)
    assert verdict.kind == kind, verdict


@pytest.mark.parametrize("seed", range(60))
def test_without_the_library_the_twin_is_the_model(seed):
    assert control(draw(seed)).kind != "wrong"


def _simple(penalty: rz.Penalty, **options) -> Case:
    rules = (RuleSpec("activity", penalty, "b"),)
    return Case((Part("a"), Part("b", "relu")), (RegSpec(rules),), **options)


@pytest.mark.parametrize("small", [None, 0])
def test_a_wrong_formula_is_seen(monkeypatch, small):
    case = _simple(rz.L2Squared(0.3), thresholds=Thresholds(small=small))
    assert run(case).kind == "exact"
    monkeypatch.setattr(rz.L2Squared, "element_slope", lambda self, xp, x: 2.01 * x)
    monkeypatch.setattr(SquaresKernel, "factor", 2.01)
    verdict = run(case)
    assert (verdict.kind, verdict.words) == ("wrong", "gradient")


def test_gates_that_pull_only_where_they_are_open_are_seen(monkeypatch):
    rules = (RuleSpec("activity", rz.L0(0.7), "b.gate"),)
    case = Case((Part("a"), Part("b", "jumprelu")), (RegSpec(rules),))
    assert run(case).kind == "exact"
    monkeypatch.setattr(rz.L0, "element_slope", lambda self, xp, x: 1.0 * x)
    verdict = run(case)
    assert (verdict.kind, verdict.words) == ("wrong", "gradient")


@pytest.mark.parametrize(
    "precision", [{"dtype": "bfloat16"}, {"dtype": "float32", "autocast": True}]
)
def test_signs_taken_for_values_are_seen_in_half_precision(monkeypatch, precision):
    case = _simple(rz.L1(0.7), thresholds=Thresholds(0, 0, 0, 4, 0), **precision)
    assert run(case).kind == "exact"
    monkeypatch.setattr(torch, "sign", lambda x, **options: x)
    assert run(case).kind == "wrong"


def test_a_wrong_kernel_is_seen(monkeypatch):
    case = _simple(rz.Huber(0.3, 0.5), thresholds=Thresholds(0, 0, 0, 4, 0))
    assert run(case).kind == "exact"
    monkeypatch.setattr(_eager, "gradient", lambda saved, *others: 0 * saved)
    assert run(case).kind == "wrong"


def test_a_penalty_left_out_of_the_step_is_seen(monkeypatch):
    rules = (RuleSpec("kernel", rz.L1(0.3)),)
    case = Case((Part("a"),), (RegSpec(rules, attached=True),))
    assert run(case).kind == "exact"
    monkeypatch.setattr(_foreach_gradients.PenaltyGradients, "add", lambda *_: None)
    verdict = run(case)
    assert (verdict.kind, verdict.words) == ("wrong", "weight after the step")


def test_a_wrong_log_is_seen(monkeypatch):
    monkeypatch.setattr(rz.Regularization, "penalties", lambda self: {"b/activity/L1": 0.0})
    verdict = run(_simple(rz.L1(0.3)))
    assert (verdict.kind, verdict.words) == ("wrong", "penalties()")


def test_another_exception_is_a_crash(monkeypatch):
    def fail(self):
        raise ZeroDivisionError("of the library's own")

    monkeypatch.setattr(rz.Regularization, "penalty", fail)
    verdict = run(_simple(rz.L1(0.3)))
    assert (verdict.kind, verdict.words) == ("crash", "ZeroDivisionError: of the library's own")


def test_a_program_that_pytorch_refuses_is_no_finding():
    parts = (Part("a"), Part("b", "sigmoid"), Part("c", "add_in_place"))
    case = Case(parts, (RegSpec((RuleSpec("activity", rz.L1(0.3), "b"),)),))
    verdict = run(case)
    assert verdict.kind == "invalid"
    assert "modified by an inplace operation" in verdict.detail


def test_an_error_of_the_library_is_counted_by_its_words():
    part = Part("b", "relu", checkpoint="reentrant")
    rules = (RuleSpec("activity", rz.L1(0.3), "b"),)
    verdict = run(Case((Part("a"), part), (RegSpec(rules),)))
    assert verdict.kind == "raises"
    assert verdict.words.startswith("RegimeError: … reentrant checkpoint")


def test_an_error_without_a_reason_in_the_program_is_a_finding(monkeypatch):
    def refuse(self):
        raise RegimeError("b: a reentrant checkpoint runs this site")

    monkeypatch.setattr(rz.Regularization, "penalty", refuse)
    assert run(_simple(rz.L1(0.3))).kind == "refused"


def test_a_failing_case_is_shrunk_to_what_fails(monkeypatch):
    monkeypatch.setattr(rz.L2Squared, "element", lambda self, xp, x: x * x + x)
    monkeypatch.setattr(thresholds, "COPIED", 2**14)
    rules = (
        RuleSpec("activity", rz.L1(0.3) + rz.L2Squared(0.7), "b", copy=True),
        RuleSpec("kernel", rz.Huber(0.3)),
    )
    parts = (Part("a"), Part("b", "tanh"), Part("c", "norm", times=2), Part("d"))
    steps = (StepSpec(), StepSpec(mode="accumulate"))
    case = Case(parts, (RegSpec(rules),), steps, optimizer="adam", dtype="float32")
    smaller = shrink(case, run)
    assert run(smaller).is_like(run(case))
    assert [part.kind for part in smaller.parts] == ["linear"] or len(smaller.parts) == 2
    assert smaller.regs[0].rules == (RuleSpec("activity", rz.L2Squared(0.7), "b"),)
    assert (smaller.steps, smaller.optimizer, smaller.dtype) == ((StepSpec(),), "sgd", "float64")


@pytest.mark.parametrize("seed", range(50))
def test_a_case_prints_as_the_expression_that_makes_it(seed):
    names = {**vars(rz), **{n: getattr(rz, n) for n in rz.__all__}, **vars(fuzz.case)}
    case = draw(seed)
    assert eval(repr(case), names) == case == draw(seed)


def test_thresholds_are_set_everywhere_and_set_back():
    def now():
        return (thresholds.PIECE, thresholds.GRADIENT_AT_ONCE, thresholds.COPIED)

    before = now()
    with sizes(Thresholds(small=3, at_once=5, piece=4)):
        assert now() == (4, 5, 3)
    assert now() == before


def test_numbers_are_compared_with_the_largest_in_mind():
    one, other = torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.1])
    check("numbers", {"a": one}, {"a": one}, "float64")
    with pytest.raises(Mismatch, match=r"numbers: a: off by 0.1 of 2.33"):
        check("numbers", {"a": one}, {"a": other}, "float64")
    with pytest.raises(Mismatch, match=r"\['b'\] instead of \['a'\]"):
        check("numbers", {"b": one}, {"a": one}, "float64")
    with pytest.raises(Invalid, match="not finite"):
        check("numbers", {"a": one}, {"a": one / 0}, "float64")


def test_words_leave_out_the_names_of_sites():
    error = ValueError("blocks.0.act: expected an axis below 3, got 'x'\nand more")
    assert first_words(error) == "ValueError: expected an axis below …, got …"
    assert Verdict("raises", "a").is_like(Verdict("raises", "a", "other detail"))
