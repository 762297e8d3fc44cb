"""Under Lightning, which always steps with a closure: the same weights as by weight decay."""

import lightning
import pytest
import torch
from torch import Tensor

import regularizers as rz
from attach.helpers import batch, mlp

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec"),
]


class Job(lightning.LightningModule):
    def __init__(self, *, attached: bool) -> None:
        super().__init__()
        self.net, self.attached = mlp().float(), attached

    def training_step(self, x: Tensor) -> Tensor:
        return self.net(x).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = torch.optim.Adam(
            self.parameters(), lr=0.01, weight_decay=0 if self.attached else 0.3
        )
        if self.attached:
            rules = [rz.kernel(rz.L2Squared(0.15)), rz.bias(rz.L2Squared(0.15))]
            rz.Regularization(self.net, rules).attach(optimizer)
        return optimizer


def trained(*, attached: bool, **options: object) -> list[Tensor]:
    job = Job(attached=attached)
    trainer = lightning.Trainer(
        accelerator="cpu", max_epochs=3, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, **options,
    )  # fmt: skip
    batches = [batch(seed=seed).float() for seed in range(8)]
    trainer.fit(job, torch.utils.data.DataLoader(batches, batch_size=None))
    return [p.detach() for p in job.net.parameters()]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate_grad_batches": 4},
        {"gradient_clip_val": 1e-3},
        {"precision": "bf16-mixed"},
    ],
    ids=str,
)
def test_the_weights_are_those_of_weight_decay(options):
    ours, theirs = (trained(attached=attached, **options) for attached in (True, False))
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
