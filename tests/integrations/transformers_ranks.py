"""Two processes, by DistributedDataParallel of the Trainer, against the whole batches by hand."""

import copy
import os
import tempfile
import warnings
from typing import Any

import torch
import torch.distributed as dist
import transformers as hf
from accelerate.state import PartialState
from accelerate.utils import DistributedType
from torch import nn
from torch.distributed.tensor import DTensor

import regularizers as rz
import two_processes
from integrations.transformers_tiny import (
    STRENGTH,
    Samples,
    arguments,
    by_hand,
    classifier,
    gap,
    llama,
    points,
    texts,
    trained,
    whole,
    windows_of,
)
from regularizers.integrations.transformers import Regularizing

MLP_SITES = ["model.layers.0.mlp.act_fn", "model.layers.1.mlp.act_fn"]


def shared(value: Any) -> list[Any]:
    """Return the value of each process."""
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def folder() -> str:
    """Return a folder that the processes share."""
    return str(shared(tempfile.mkdtemp())[0])


def joined(data: Samples, sizes: list[int]) -> Samples:
    """Return the samples in the order of all processes, window by window."""
    orders, whole = shared(data.order), Samples(data.samples)
    for size in sizes:
        for order in orders:
            whole.order += order[:size]
            del order[:size]
    return whole


def check_accumulated(build: Any, data: Samples, rules: list[rz.Rule], sites: list[str]) -> None:
    model = build()
    before = copy.deepcopy(model)
    trained(model, data, folder(), Regularizing(rules), gradient_accumulation_steps=4)
    windows = windows_of(joined(data, [8, 6]), [16, 12])
    assert gap(model, by_hand(before, windows, sites)) < 1e-9
    assert gap(model, by_hand(before, windows, [])) > 1e-2


def check_the_trainer_divides() -> None:
    rules = [rz.activity(rz.L1(STRENGTH), where="act")]
    check_accumulated(classifier, points(28), rules, ["act"])


def check_the_model_counts_tokens() -> None:
    rules = [rz.activity(rz.L1(STRENGTH), where="model.layers.*.mlp.act_fn")]
    check_accumulated(llama, texts(28), rules, MLP_SITES)


def check_weights() -> None:
    model, data = classifier(), points(28)
    before = copy.deepcopy(model)
    rules = [rz.kernel(rz.L2Squared(STRENGTH), where="second")]
    trained(model, data, folder(), Regularizing(rules), gradient_accumulation_steps=4)
    windows = windows_of(joined(data, [8, 6]), [16, 12])
    assert gap(model, by_hand(before, windows, [], ["second.weight"])) < 1e-9


class Stops(hf.TrainerCallback):
    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop |= state.global_step == 3


def check_goes_on(
    build: Any, data: Samples, rules: list[rz.Rule], train: Any = trained, **more: Any
) -> None:
    place, models = folder(), []
    for part, callbacks, resume in [
        ("whole", [], None),
        ("parts", [Stops()], None),
        ("parts", [], f"{place}/parts/checkpoint-3"),
    ]:
        models.append(build())
        train(
            models[-1],
            data,
            f"{place}/{part}",
            Regularizing(rules, process_group="world"),
            *callbacks,
            resume=resume,
            **{
                "gradient_accumulation_steps": 4,
                "num_train_epochs": 2,
                "save_strategy": "steps",
                "save_steps": 1,
                "learning_rate": 0.05,
            }
            | more,
        )
    weights = [[whole(parameter) for parameter in model.parameters()] for model in models]
    assert all(torch.equal(a, b) for a, b in zip(weights[2], weights[0], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights[1], weights[0], strict=True))


def check_resumed() -> None:
    def with_relu() -> nn.Module:
        model = classifier()
        model.act = nn.ReLU()
        return model

    check_goes_on(with_relu, points(28), [rz.activity(rz.L1(rz.TargetActive(6)), where="act")])


def sharded(model: nn.Module, data: Samples, place: str, *callbacks: Any, **more: Any) -> None:
    """Train under FSDP2, which accelerate has for GPUs only: it is told that these are some."""

    def on_gpus(*given: Any, **options: Any) -> hf.TrainingArguments:
        args = arguments(*given, **options)
        assert args.device.type == "cpu"
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
        return args

    fsdp = {"fsdp": True, "fsdp_config": {"fsdp_version": 2}}
    trained(
        model,
        data,
        place,
        *callbacks,
        arguments=on_gpus,
        **{"gradient_accumulation_steps": 4} | fsdp | more,
    )
    assert all(isinstance(parameter, DTensor) for parameter in model.parameters())


def check_fsdp2() -> None:
    model, data = llama(torch.float32), texts(28)
    before = copy.deepcopy(model)
    rules = [
        rz.activity(rz.L1(STRENGTH), where="model.layers.*.mlp.act_fn"),
        rz.kernel(rz.L2Squared(STRENGTH), where="lm_head"),
    ]
    sharded(model, data, folder(), Regularizing(rules))
    windows = windows_of(joined(data, [8, 6]), [16, 12])
    assert gap(model, by_hand(before, windows, MLP_SITES, ["lm_head.weight"])) < 1e-6


def check_fsdp2_resumed() -> None:
    rising = rz.L1(rz.LinearWarmup(0.2, steps=7))
    rules = [
        rz.activity(rising, where="model.layers.*.mlp.act_fn"),
        rz.kernel(rz.L2Squared(STRENGTH), where="lm_head", towards="initial"),
    ]
    check_goes_on(lambda: llama(torch.float32), texts(28), rules, sharded, optim="adamw_torch")


if __name__ == "__main__":
    warnings.simplefilter("error")
    os.environ["ACCELERATE_USE_CPU"] = "true"
    two_processes.run(
        [
            check_the_trainer_divides,
            check_the_model_counts_tokens,
            check_weights,
            check_resumed,
            check_fsdp2,
            check_fsdp2_resumed,
        ]
    )
