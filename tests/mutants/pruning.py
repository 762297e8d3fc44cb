"""Wrong edits to what becomes of zeros: counted, masked, removed."""

from mutants.mutant import Mutant

COMPACT = "tests/pruning/test_compact.py::test_"
REFUSED = "tests/pruning/test_compact_refused.py::test_"
WITH_BIAS = "tests/attach/step/test_groups_with_bias.py::test_"
MASKS = "tests/pruning/test_prune_zeros.py::test_"

PRUNING = [
    Mutant(
        "a tied kernel counts once for each module in the share of zeros",
        "pruning/_zeros.py",
        "if parameter.identity not in seen:",
        "if parameter.full_name not in seen:",
        ("tests/pruning/test_zeros.py::test_a_tied_kernel_counts_once_and_a_frozen_one_counts",),
    ),
    Mutant(
        "zeros that a mask holds are masked again, and those beside it are not",
        "pruning/_prune_zeros.py",
        "new &= parameter.mask() != 0",
        "new &= parameter.mask() == 0",
        (f"{MASKS}a_second_call_adds_no_mask",),
    ),
    Mutant(
        "a weight that is read without its module gets a mask",
        "pruning/_prune_zeros.py",
        'parameter.owner_name.endswith("out_proj")',
        "False",
        (f"{MASKS}what_cannot_be_masked_is_refused_by_name_and_nothing_is_masked",),
    ),
    Mutant(
        "what a removed unit said is lost",
        "pruning/_compact.py",
        "added[:, exact].sum(dim=1)",
        "torch.zeros_like(added[:, 0])",
        (f"{COMPACT}a_constant_goes_into_the_bias_of_the_next_layer_by_hand",),
    ),
    Mutant(
        "the shift of a batch norm is no part of what a removed unit said",
        "pruning/_passing.py",
        "values = values * self._rows(norm.weight) + self._rows(norm.bias)",
        "values = values * self._rows(norm.weight)",
        (f"{COMPACT}a_batch_norm_between_by_hand",),
    ),
    Mutant(
        "a constant goes into a bias though the border is padded",
        "pruning/_passing.py",
        'return reader.padding == "same" or',
        "return False and",
        (f"{COMPACT}a_constant_stays_where_the_border_is_padded_with_zeros",),
    ),
    Mutant(
        "an average that counts padding is taken for a constant",
        "pruning/_passing.py",
        "unpadded = not any(padding) or not pool.count_include_pad",
        "unpadded = True",
        (f"{COMPACT}averages_that_count_padding_keep_a_constant",),
    ),
    Mutant(
        "the positions of a channel are not next to each other after Flatten",
        "pruning/_slicing.py",
        "(kept[:, None] * each + torch.arange(each, device=kept.device)).flatten()",
        "(kept[:, None] * each + torch.arange(each, device=kept.device)).T.flatten()",
        (f"{COMPACT}outputs_stay_in_evaluation",),
    ),
    Mutant(
        "a module that is called twice is followed",
        "pruning/_chain.py",
        "if calls[name] > 1:",
        "if False:",
        (f"{REFUSED}a_way_that_cannot_be_followed",),
    ),
    Mutant(
        "an output that is read twice is followed once",
        "pruning/_chain.py",
        "if len(readers) > 1:",
        "if False:",
        (f"{REFUSED}a_way_that_cannot_be_followed",),
    ),
    Mutant(
        "the outputs of a model may be removed",
        "pruning/_chain.py",
        'if not readers or any(reader.op == "output" for reader in readers):',
        "if not readers:",
        (f"{COMPACT}outputs_of_the_model_are_never_removed",),
    ),
    Mutant(
        "the penalty in the step forgets the bias that its group takes along",
        "attach/step/_with_bias.py",
        "return found if self.bias is None else [*found, (self.bias, column)]",
        "return found",
        (f"{WITH_BIAS}within_the_step_both_get_their_gradient",),
    ),
    Mutant(
        "the proximal step of a kernel is that of its bias, too",
        "attach/step/_with_bias.py",
        "return self.joint.joined(whole[0], whole[1] if len(whole) == 2 else None)",
        "return whole[0].max()",
        (f"{WITH_BIAS}under_adam_each_element_has_its_step",),
    ),
    Mutant(
        "a frozen bias counts in the group of its output",
        "attach/sites/_with_bias.py",
        "self.bias.read() if self.bias.trainable else None",
        "self.bias.read()",
        (f"{WITH_BIAS}a_frozen_bias_does_not_count",),
    ),
]
