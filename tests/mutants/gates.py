"""Wrong edits to the layers of sparse codes, those that others shipped among them."""

from mutants.mutant import Mutant, arrays, attach


def layers(name: str) -> str:
    return f"tests/layers/test_{name.replace('::', '.py::test_')}"


def functional(name: str) -> str:
    return f"tests/functional/test_{name.replace('::', '.py::test_')}"


ON_PAPER = layers("step_gate::the_gradients_are_those_on_paper")
SMOOTHED = layers("step_gate::the_gate_has_the_gradient_of_the_smoothed_expectation")
JUMPS = layers("step_gate::the_gradient_of_a_jump_is_that_of_its_smoothed_height")
BY_HAND = functional("codes::values_by_hand")
SELECTED = layers("selections::the_largest_of_a_batch")
OF_ALL = layers("batch_top_k_processes::every_check_holds_in_both_processes")

GATES = [
    Mutant(
        "gates: the gated value is counted, half the gradient of a threshold",
        "layers/_step_gate.py",
        "distance = torch.sub(of_z, threshold, out=buffer)",
        "distance = torch.sub(of_z * (of_z > threshold), threshold, out=buffer)",
        (SMOOTHED,),
    ),
    Mutant(
        "gates: the gated value is counted where no rows are read",
        "layers/_step_gate.py",
        "return (z - threshold).abs() < width / 2",
        "return (z * (z > threshold) - threshold).abs() < width / 2",
        (layers("step_gate::any_layout_and_size_gives_the_same"),),
    ),
    Mutant(
        "gates: the bandwidth divides twice",
        "layers/_step_gate.py",
        "total / -ctx.width",
        "total / -(ctx.width**2)",
        (SMOOTHED,),
    ),
    Mutant(
        "gates: the bandwidth does not divide",
        "layers/_step_gate.py",
        "total / -ctx.width",
        "-total",
        (SMOOTHED,),
    ),
    Mutant(
        "gates: the window is one-sided",
        "layers/_step_gate.py",
        "selected(part, distance, -half, half, grad_input=distance)",
        "selected(part, distance, 0.0, half, grad_input=distance)",
        (SMOOTHED,),
    ),
    Mutant(
        "gates: the window is twice as wide",
        "layers/_step_gate.py",
        "total, half = torch.zeros_like(threshold), width / 2",
        "total, half = torch.zeros_like(threshold), width",
        (SMOOTHED,),
    ),
    Mutant(
        "gates: the function's window is one-sided",
        "functional/_step_gate.py",
        "window = xp.abs(plain - at) < bandwidth / 2",
        "window = (plain > at) & (plain - at < bandwidth / 2)",
        (BY_HAND,),
    ),
    Mutant(
        "gates: the function's gradient is not that of its autograd",
        "functional/_step_gate.py",
        "(shift - (threshold - at)) * inside / bandwidth",
        "(shift - (threshold - at)) * inside",
        (functional("codes::autograd_gives_the_vjp"),),
    ),
    Mutant(
        "gates: the gradient through the pre-activations of a jump is dropped",
        "layers/_jump_relu.py",
        "cotangent * gate if of_z else None",
        "None",
        (ON_PAPER,),
    ),
    Mutant(
        "gates: a jump has not its height",
        "layers/_jump_relu.py",
        "(cotangent * threshold).to(cotangent.dtype)",
        "cotangent",
        (JUMPS, layers("step_gate::the_gate_in_a_jump_hands_on_what_is_added_to_it")),
    ),
    Mutant(
        "gates: the gradient through the pre-activations of TopK is dropped",
        "layers/_top_k.py",
        "return where_positive(cotangent, *ctx.saved_tensors), None",
        "return 0 * where_positive(cotangent, *ctx.saved_tensors), None",
        (layers("selections::the_k_largest_of_each_sample"),),
    ),
    Mutant(
        "gates: what TopK keeps may be negative",
        "layers/_top_k.py",
        "values.relu()",
        "values",
        (layers("selections::the_k_largest_of_each_sample"),),
    ),
    Mutant(
        "gates: gated units have the gradient of the scale without the scale",
        "layers/_gated.py",
        "into.mul_(scale)",
        "pass",
        (layers("selections::gated_units_and_their_gradients"),),
    ),
    Mutant(
        "gates: a guess of the cut that is too high is taken",
        "layers/_largest_of_batch.py",
        "complete = len(places) == number or not guess > 0",
        "complete = True",
        (layers("selections::a_batch_is_read_alike_whatever_it_looks_like"),),
    ),
    Mutant(
        "gates: each process selects as many as of its own samples",
        "layers/_largest_of_processes.py",
        "round(k * all_samples)",
        "round(k * samples)",
        (OF_ALL,),
    ),
    Mutant(
        "gates: every process keeps its ties",
        "layers/_largest_of_processes.py",
        "if cut.ties > cut.taken:",
        "if cut.ties < cut.taken:",
        (OF_ALL,),
    ),
    Mutant(
        "gates: a checkpoint moves the threshold twice",
        "layers/_batch_top_k.py",
        "current_pass() is not Pass.FORWARD",
        "current_pass() is None",
        (layers("selections::a_checkpoint_moves_the_threshold_once"),),
    ),
    Mutant(
        "gates: the scale of L0 is of the whole output",
        "attach/reading/_functions.py",
        "return ctx.window.count_nonzero() if type(request.term) is L0 else None",
        "return ctx.window.numel() if type(request.term) is L0 else None",
        (attach("gates_counted::the_scale_is_three_times_that_of_the_window"),),
    ),
    Mutant(
        "gates: L0 is taken at any module",
        "penalties/_l0.py",
        "return True",
        "return False",
        (attach("gates_counted::sites_that_are_no_gate_are_refused_where_they_are_named"),),
    ),
    Mutant(
        "gates: the slope of L0 is 0 at zeros",
        "penalties/_l0.py",
        "return frame.xp.broadcast_to(cotangent, frame.shape)",
        "return cotangent * frame.xp.sign(x)",
        (arrays("by_hand::the_gradient"),),
    ),
    Mutant(
        "gates: the slope of L0 is 0 at zeros of a large array",
        "penalties/_l0.py",
        "return xp.ones_like(x)",
        "return xp.sign(x)",
        ("tests/testing/test_ours.py::test_our_penalties_are_what_they_say",),
    ),
]
