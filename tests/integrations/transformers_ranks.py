"""Two processes, by DistributedDataParallel of the Trainer, against the whole batches by hand."""

import copy
import tempfile
import warnings
from typing import Any

import torch.distributed as dist
import transformers as hf
from torch import nn

import regularizers as rz
import two_processes
from integrations.transformers_tiny import (
    STRENGTH,
    Samples,
    by_hand,
    classifier,
    gap,
    llama,
    points,
    texts,
    trained,
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


def check_resumed() -> None:
    class Stops(hf.TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            control.should_training_stop |= state.global_step == 3

    rules = [rz.activity(rz.L1(rz.TargetActive(6)), where="act")]
    place, models = folder(), []
    for part, callbacks, resume in [
        ("whole", [], None),
        ("parts", [Stops()], None),
        ("parts", [], f"{place}/parts/checkpoint-3"),
    ]:
        models.append(classifier())
        models[-1].act = nn.ReLU()
        trained(
            models[-1],
            points(28),
            f"{place}/{part}",
            Regularizing(rules, process_group="world"),
            *callbacks,
            resume=resume,
            gradient_accumulation_steps=4,
            num_train_epochs=3,
            save_strategy="steps",
            save_steps=1,
        )
    assert gap(models[2], models[0]) == 0
    assert gap(models[1], models[0]) > 1e-4


if __name__ == "__main__":
    warnings.simplefilter("error")
    two_processes.run(
        [check_the_trainer_divides, check_the_model_counts_tokens, check_weights, check_resumed]
    )
