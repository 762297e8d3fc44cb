"""Wrong edits to what a penalty is measured from and by."""

from mutants.mutant import Mutant, attach


def references(name: str) -> str:
    return attach(f"references::{name}")


def attached(name: str) -> str:
    return attach(f"attached_references::{name}")


def fisher(name: str) -> str:
    return attach(f"diagonal_fisher::{name}")


def units(name: str) -> str:
    return attach(f"unit_weights::{name}")


TOGETHER = attached("many_weights_together_are_each_as_by_itself")

REFERENCES = [
    Mutant(
        "what a weight is measured from is not copied",
        "attach/sites/_kept.py",
        "self.tensor = tensor.detach().clone()",
        "self.tensor = tensor.detach()",
        (references("what_is_given_is_copied"),),
    ),
    Mutant(
        "an importance is rounded to half precision",
        "attach/sites/_reference.py",
        'wide=option == "importance"',
        "wide=False",
        (references("a_small_importance_is_not_rounded_to_zero_in_half_precision"),),
    ),
    Mutant(
        "a tied weight is known under one name",
        "attach/sites/_reference.py",
        "aliases = self._aliases(parameter)",
        "aliases: list[str] = []",
        (references("a_tied_weight_counts_once_under_any_of_its_names"),),
    ),
    Mutant(
        "a run goes on from the weights of its checkpoint",
        "attach/sites/_initial.py",
        "self._loaded = not self._used",
        "self._loaded = False",
        (references("a_model_that_loads_a_state_after_its_weights_were_taken_raises"),),
    ),
    Mutant(
        "the importance is left out in a step of many weights",
        "attach/step/_weight_gradients.py",
        "if not references[0].is_weighted:",
        "if True:",
        (TOGETHER,),
    ),
    Mutant(
        "two references of one weight are taken for one",
        "attach/step/_foreach_gradients.py",
        "number = [reference is other for other in others].index(True)",
        "number = 0",
        (TOGETHER,),
    ),
    Mutant(
        "a proximal step towards a reference ends at 0",
        "attach/step/_proximal.py",
        "(reference.towards(x) + shrunk)",
        "shrunk",
        (attached("a_proximal_step_goes_to_the_reference"),),
    ),
    Mutant(
        "the gradients of a batch are squared together",
        "attach/_diagonal_fisher.py",
        "_squares(found[name], total).sum(dim=0)",
        "_squares(found[name].sum(dim=0), total)",
        (fisher("it_is_that_of_a_loop_whatever_the_batches_and_the_reduction"),),
    ),
    Mutant(
        "the weights of units get no gradient",
        "attach/reading/_weighted.py",
        "if ctx.needs_input_grad[1]:",
        "if False:",
        (units("the_codes_and_the_decoder_get_their_gradient"),),
    ),
    Mutant(
        "masked elements count in the gradient of the weights of units",
        "attach/reading/_weighted.py",
        "of_each = cotangent * frame.select(request.term.element(xp, wide))",
        "of_each = cotangent * request.term.element(xp, wide.nan_to_num() + 1)",
        (units("masked_elements_count_in_neither_gradient"),),
    ),
]
