"""Cases that failed once, shrunk, and what must become of them."""

from fuzz.case import Case, Event, Part, RegSpec, RuleSpec, StepSpec, Thresholds
from regularizers import (
    L1,
    TAR,
    ActivityRegularization,
    Budget,
    GroupLasso,
    Huber,
    L2Norm,
    L2Squared,
    Lp,
    Orthogonal,
    Temporal,
)

IN_EVALUATION = (StepSpec(), StepSpec(events=(Event("collected_in_evaluation"),)))
RECORDED = (StepSpec(mode="create_graph"),)


def _case(penalty, *, kind="linear", steps=RECORDED, delivery="collect", select="", **options):
    """Return a linear layer and a module whose output is penalised."""
    rule = RuleSpec("activity", penalty, "b", select=select)
    parts = (Part("a"), Part("b", kind))
    return Case(parts, (RegSpec((rule,), delivery),), steps, **options)


def _of_weights(penalty, *events, attached=False, **options):
    """Return a linear layer whose weight is penalised, and changed before the step."""
    rule = RuleSpec("kernel", penalty)
    steps = (StepSpec(events=events),)
    return Case((Part("a"),), (RegSpec((rule,), attached=attached),), steps, **options)


PRUNED, HOOKED, APPENDED = Event("pruned", "a"), Event("weight_changed", "a", 2), Event("appended")

KEPT = {
    "L1 after softmax, injected, recorded": (
        _case(L1(0.1), kind="softmax", delivery="inject"),
        "exact",
    ),
    "L1 after ReLU in place, recorded": (
        _case(GroupLasso(1.5, -1) + L1(0.7), kind="relu_in_place"),
        "exact",
    ),
    "L1 after ReLU, injected, differentiated twice": (
        _case(L1(0.1), kind="relu", delivery="inject", steps=(StepSpec(mode="gradient_penalty"),)),
        "exact",
    ),
    "L1 of a selected tensor, recorded": (_case(L1(0.3), kind="tanh", select="same"), "exact"),
    "L1 read in pieces, recorded": (
        _case(L1(0.3), kind="sigmoid", thresholds=Thresholds(0, 0, 0, 4, 0)),
        "exact",
    ),
    "attention with the batch second": (
        Case(
            (Part("b", "attention"),),
            (RegSpec((RuleSpec("activity", L1(1.5), "b", select="first"),)),),
            form="sequence",
            batch_first=False,
            batch=2,
        ),
        "exact",
    ),
    "collected in evaluation": (_case(L2Norm(0.3), steps=IN_EVALUATION), "exact"),
    "differences collected in evaluation": (
        Case(
            (Part("a", "lstm"),),
            (RegSpec((RuleSpec("activity", Temporal(Huber(1.5, 0.4)), "a"),)),),
            IN_EVALUATION,
            form="sequence",
        ),
        "exact",
    ),
    "powers collected in evaluation": (_case(Lp(0.7, 3.0), steps=IN_EVALUATION), "exact"),
    "pruned after attaching": (_of_weights(GroupLasso(1.5, 0), PRUNED), "exact"),
    "pruned in rounds": (_of_weights(L1(0.3), PRUNED, Event("pruned", "a", 1)), "exact"),
    "pruned, in the step": (_of_weights(Orthogonal(0.3, 1), PRUNED, attached=True), "exact"),
    "weight_norm by a hook after attaching": (_of_weights(L2Norm(0.7), HOOKED), "exact"),
    "a layer appended": (_of_weights(Budget(L1(1.5), 0.5), APPENDED), "exact"),
    "a layer appended, in the step": (
        _of_weights(ActivityRegularization(0.1, "l2"), APPENDED, attached=True),
        "exact",
    ),
    "a layer frozen later, which the log left as it was": (
        Case(
            (Part("a"), Part("b")),
            (RegSpec((RuleSpec("kernel", L1(0.3)),)),),
            (StepSpec(), StepSpec(events=(Event("frozen", "b"),))),
        ),
        "exact",
    ),
    "squares, pruned, in the step": (_of_weights(L2Squared(0.3), PRUNED, attached=True), "exact"),
    "two steps of time in half precision, in pieces": (
        Case(
            (Part("a"),),
            (RegSpec((RuleSpec("activity", TAR(1.5, 1), "a"),)),),
            form="sequence",
            length=2,
            width=4,
            dtype="bfloat16",
            thresholds=Thresholds(piece=7),
        ),
        "exact",
    ),
}
"""By what they are about: the case, and the kind of its verdict."""
