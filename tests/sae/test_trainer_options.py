"""Options of the trainer: accumulated batches, half precision, and what is refused."""

import re

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import GradientAccumulationScheduler

import regularizers as rz
from regularizers.errors import ConfigurationError
from sae.problems import superposed

pytestmark = pytest.mark.filterwarnings("ignore:.*TargetActive:UserWarning")
BATCH = 80


def fresh(architecture="jumprelu"):
    torch.manual_seed(0)
    sae = rz.sae.SparseAutoencoder(8, 16, 2, architecture).double()
    with torch.no_grad():
        sae.encoder.bias[[3, 7]] = -9.0  # so that units are started anew
    return sae


@pytest.mark.parametrize("architecture", ["jumprelu", "topk", "gated"])
def test_accumulated_batches_are_one_batch(architecture):
    x = superposed(2000)[0].double()
    whole, parts = fresh(architecture), fresh(architecture)
    options = {"steps": 50, "seed": 1}
    expected = rz.sae.train(whole, x, batch_size=BATCH, **options)
    history = rz.sae.train(parts, x, batch_size=BATCH // 4, accumulate_grad_batches=4, **options)
    assert expected.revived[-1] > 0
    assert history.step == expected.step == [*range(1, 51)]
    for name in ("loss", "active", "explained", "strength", "idle", "revived"):
        assert getattr(history, name) == pytest.approx(getattr(expected, name), rel=1e-7), name
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], value, rtol=1e-7, atol=1e-9, msg=name)


def test_batch_top_k_selects_in_each_accumulated_batch():
    x = superposed(2000)[0].double()
    sae = fresh("batchtopk")
    counts = []
    sae.coding.register_forward_hook(lambda _, __, code: counts.append(code.count_nonzero().item()))
    history = rz.sae.train(sae, x, steps=30, batch_size=20, accumulate_grad_batches=4)
    assert counts == [2 * 20] * 120
    assert history.active == [2.0] * 30


def test_steps_are_those_of_one_pass():
    x = superposed(1000)[0]
    history = rz.sae.train(
        rz.sae.SparseAutoencoder(8, 16, 2), x, batch_size=40, accumulate_grad_batches=3
    )
    assert history.step[-1] == 25 // 3


class Interrupted(lightning.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, number):
        if number == 4 * 17 + 1:  # between two steps
            raise RuntimeError("interrupted")


def test_accumulated_batches_are_resumed_to_the_bit(tmp_path):
    x = superposed(2000)[0].double()
    options = {"steps": 40, "batch_size": 20, "accumulate_grad_batches": 4}
    whole = fresh()
    expected = rz.sae.train(whole, x, **options)
    with pytest.raises(RuntimeError, match="interrupted"):
        rz.sae.train(fresh(), x, checkpoints=tmp_path, callbacks=Interrupted(), **options)
    sae = fresh()
    assert rz.sae.train(sae, x, checkpoints=tmp_path, **options) == expected
    for name, value in whole.state_dict().items():
        assert value.equal(sae.state_dict()[name]), name


@pytest.mark.parametrize("architecture", ["jumprelu", "batchtopk"])
def test_half_precision_is_mixed(architecture):
    x = superposed(10_000)[0]
    found = []
    for precision in ("32-true", "bf16-mixed"):
        torch.manual_seed(0)
        sae, dtypes = rz.sae.SparseAutoencoder(8, 16, 2, architecture), set()
        sae.coding.register_forward_hook(lambda _, __, code, seen=dtypes: seen.add(code.dtype))
        rz.sae.train(sae, x, steps=300, batch_size=64, precision=precision)
        assert dtypes == {torch.float32 if precision == "32-true" else torch.bfloat16}
        assert {one.dtype for one in sae.state_dict().values()} == {torch.float32}
        torch.testing.assert_close(sae.decoder.weight.norm(dim=0), torch.ones(16))
        found.append(rz.sae.evaluate(sae, x))
    assert found[0].l0 == pytest.approx(found[1].l0, rel=0.05)
    assert found[0].explained_variance == pytest.approx(found[1].explained_variance, abs=0.02)
    assert found[0].explained_variance > 0.7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_epochs": 3}, "max_epochs: expected the setting steps= of train in its place"),
        ({"max_steps": 3}, "max_steps: expected the setting steps="),
        ({"limit_train_batches": 3}, "limit_train_batches: expected the setting steps="),
        ({"gradient_clip_val": 0.5}, "gradient_clip_val: expected the setting clip="),
        ({"enable_progress_bar": True}, "enable_progress_bar: expected the setting progress="),
        ({"precision": "16-mixed"}, "or 'bf16-mixed', got '16-mixed'; 'bf16-mixed' has the range"),
        ({"precision": "bf16-true"}, "got 'bf16-true'; parameters of half precision lose"),
        ({"precision": "64-true"}, r"got '64-true'; sae.double() before is the same"),
        ({"accumulate_grad_batches": 0}, "accumulate_grad_batches: expected an integer of 1 or"),
        ({"callbacks": GradientAccumulationScheduler({0: 2})}, "got a GradientAccumulation"),
        ({"strategy": "fsdp"}, "strategy: expected 'auto', 'ddp' or another that keeps the whole"),
        ({"learning_rat": 1e-3}, "got learning_rat=0.001; do you mean learning_rate=?"),
        ({"acelerator": "cpu"}, "got acelerator='cpu'; do you mean accelerator=?"),
        ({"zzz": 1}, "zzz: expected a setting of train or an option of lightning.Trainer"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_options_that_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        rz.sae.train(fresh(), torch.randn(64, 8), batch_size=8, **options)
