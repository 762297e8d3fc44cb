"""What decays in transformers of many houses, against lists by hand; and where usual rules err."""

import copy
import functools
import re
from fnmatch import fnmatchcase

import pytest
import torch
from torch import nn
from transformers.trainer_pt_utils import get_parameter_names

import regularizers as rz
from models.tiny import KINDS, MODELS

DECAY = 0.1


@functools.cache
def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MODELS[name].build()


def names_of(model: nn.Module) -> list[str]:
    return [name for name, _ in model.named_parameters()]


def decayed(model: nn.Module, **options) -> set[str]:
    """Return the names of the parameters that decay; every parameter is in one group."""
    groups = rz.weight_decay_groups(model, DECAY, **options)
    names = {id(p): name for name, p in model.named_parameters()}
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(names)
    return {names[id(p)] for group in groups if group["weight_decay"] for p in group["params"]}


def judged(name: str, *kinds: str) -> set[str]:
    return {n for n in names_of(built(name)) if MODELS[name].judged(n) in kinds}


@pytest.mark.parametrize("name", MODELS)
def test_what_decays_is_what_was_judged_by_hand(name):
    assert decayed(built(name)) == judged(name, "kernels", "embeddings")
    assert decayed(built(name), embeddings=False) == judged(name, "kernels")


@pytest.mark.parametrize("name", MODELS)
def test_every_glob_of_the_lists_by_hand_means_something(name):
    for kind in KINDS:
        for glob in getattr(MODELS[name], kind).split():
            assert any(fnmatchcase(n, glob) for n in names_of(built(name))), glob


def by_recipe(model: nn.Module) -> set[str]:
    """Return what decays by the names that the fine-tuning scripts of BERT leave out."""
    return {n for n in names_of(model) if not re.search(r"bias|LayerNorm\.weight", n)}


def by_word(model: nn.Module) -> set[str]:
    return {n for n in names_of(model) if not re.search("bias|norm", n.lower())}


def by_trainer(model: nn.Module) -> set[str]:
    """Return what decays by the words and classes that the Trainer of transformers leaves out."""
    words = ["bias", "layernorm", "rmsnorm", r"(?:^|\.)norm(?:$|\.)", r"_norm(?:$|\.)"]
    return set(get_parameter_names(model, [nn.LayerNorm], words)) & set(names_of(model))


def by_shape(model: nn.Module) -> set[str]:
    return {n for n, p in model.named_parameters() if p.ndim >= 2}


RULES = (by_recipe, by_word, by_trainer, by_shape)


@pytest.mark.parametrize("name", MODELS)
def test_the_usual_rules_err_on_so_many(name):
    right = judged(name, "kernels", "embeddings")
    assert tuple([len(rule(built(name)) ^ right) for rule in RULES]) == MODELS[name].wrong


def test_every_usual_rule_errs_on_some_model():
    assert all(any(counts) for counts in zip(*[c.wrong for c in MODELS.values()], strict=True))


def test_what_the_rule_by_shape_decays_of_gpt_oss_are_the_biases_of_its_experts():
    extra = by_shape(built("gpt-oss")) - decayed(built("gpt-oss"))
    experts = "model.layers.0.mlp.experts"
    assert extra == {f"{experts}.gate_up_proj_bias", f"{experts}.down_proj_bias"}


RENAMED = {"input_layernorm": "before", "post_attention_layernorm": "between"}


def test_norms_under_other_names_do_not_decay():
    model = copy.deepcopy(built("llama"))
    for layer in model.model.layers:
        for name, other in RENAMED.items():
            setattr(layer, other, getattr(layer, name))
            delattr(layer, name)
    norms = {"model.layers.0.before.weight", "model.layers.0.between.weight"}
    assert norms <= set(names_of(model))
    assert decayed(model) == decayed(built("llama"))
    for rule in (by_recipe, by_word, by_trainer):
        assert norms <= rule(model)


def test_stacked_layers_decay_as_one_does():
    layers = [MODELS["bert"].build() for _ in range(3)]
    values, _ = torch.func.stack_module_state(layers)
    model = layers[0]
    for name, value in values.items():
        owner, _, tensor = name.rpartition(".")
        setattr(model.get_submodule(owner), tensor, nn.Parameter(value.detach()))
    untied = {"cls.predictions.decoder.weight"}
    assert decayed(model) == judged("bert", "kernels", "embeddings") | untied
    assert judged("bert", "neither") <= by_shape(model)


@pytest.mark.parametrize("name", ["gpt2", "gpt-oss", "mamba", "wav2vec2"])
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_a_step_without_gradients_shrinks_exactly_these(name, optimizer):
    model = copy.deepcopy(built(name))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    step = optimizer(rz.weight_decay_groups(model, DECAY), lr=0.5)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    step.step()
    for n, p in model.named_parameters():
        decays = MODELS[name].judged(n) != "neither"
        torch.testing.assert_close(p.detach(), before[n] * (1 - 0.5 * DECAY * decays))
        assert decays or torch.equal(p, before[n])
