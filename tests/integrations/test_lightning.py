"""The callback for Lightning against loops by hand, and what it raises before it could be wrong."""

import pickle

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import LearningRateFinder, ModelCheckpoint
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.tuner import Tuner
from torch import Tensor, nn

import regularizers as rz
from integrations.lightning_jobs import (
    ACTIVITY,
    KERNEL,
    RULES,
    Batches,
    Job,
    Validated,
    adam,
    batches,
    by_hand,
    sgd,
    trainer,
)  # fmt: skip
from regularizers.errors import ConfigurationError, OutputError, RegimeError, SelectionError
from regularizers.integrations.lightning import Regularizing


def weights(job: nn.Module) -> list[Tensor]:
    return [p.detach() for p in job.parameters()]


def assert_same(job: nn.Module, expected: list[Tensor], tolerance: float = 1e-13) -> None:
    torch.testing.assert_close(
        weights(job), [w.detach() for w in expected], rtol=tolerance, atol=tolerance
    )


def assert_clean(job: lightning.LightningModule, used: lightning.Trainer) -> None:
    hooks = [h for m in job.modules() for h in (*m._forward_hooks, *m._forward_pre_hooks)]
    assert hooks == []
    assert "training_step" not in vars(used.strategy)
    assert "training_step" not in vars(job)
    for optimizer in used.optimizers:
        assert not optimizer._optimizer_step_post_hooks
        assert not optimizer._optimizer_step_pre_hooks


@pytest.mark.parametrize("accumulate", [1, 2, 4])
@pytest.mark.parametrize("make", [sgd, adam])
@pytest.mark.parametrize(
    "options", [{}, {"attach": False}, {"delivery": "inject"}], ids=["attached", "loss", "inject"]
)
def test_the_weights_are_those_of_a_loop_by_hand(options, make, accumulate):
    """Ten batches of three sizes: with four a step, the last step has two."""
    job, data = Job(make), batches()
    used = trainer(Regularizing(RULES, **options), accumulate_grad_batches=accumulate)
    used.fit(job, Batches(data))
    attached = options.get("attach", True)
    assert_same(job, by_hand(data, make, accumulate=accumulate, attached=attached))
    assert_clean(job, used)


@pytest.mark.parametrize("attach", [True, False])
def test_clipping_is_of_what_is_in_the_loss(attach):
    job, data = Job(), batches()
    trainer(Regularizing(RULES, attach=attach), gradient_clip_val=0.05).fit(job, Batches(data))
    assert_same(job, by_hand(data, attached=attach, clip=0.05))


@pytest.mark.parametrize(
    "returned", [lambda loss, _: {"loss": loss, "more": 1}, lambda loss, _: loss], ids=["dict", ""]
)
def test_a_step_may_return_a_dict_which_is_not_changed(returned):
    seen = []

    def kept(loss, index):
        seen.append((loss, returned(loss, index)))
        return seen[-1][1]

    job, data = Job(returned=kept), batches()
    trainer(Regularizing(RULES)).fit(job, Batches(data))
    assert_same(job, by_hand(data))
    assert all(out is loss or out["loss"] is loss for loss, out in seen)


@pytest.mark.filterwarnings("ignore:.*training_step. returned .None.")
@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_a_batch_that_is_skipped_has_no_penalty(delivery):
    job = Job(returned=lambda loss, index: None if index in (0, 3, 7) else loss)
    data = batches()
    used = trainer(Regularizing(RULES, delivery=delivery), accumulate_grad_batches=2)
    used.fit(job, Batches(data))
    assert_same(job, by_hand(data, accumulate=2, skip=(0, 3, 7)))


def test_a_step_that_calls_parts_of_the_model_is_the_same():
    class Parts(Job):
        def training_step(self, x, index):
            return self.net[2](self.net[1](self.net[0](x))).square().mean()

    job, data = Parts(), batches()
    trainer(Regularizing(RULES)).fit(job, Batches(data))
    assert_same(job, by_hand(data))


@pytest.mark.parametrize("attach", [True, False])
def test_bfloat16(attach):
    job, data = Job(dtype=torch.float32), batches(dtype=torch.float32)
    used = trainer(Regularizing(RULES, attach=attach), precision="bf16-mixed")
    used.fit(job, Batches(data))
    expected = by_hand(data, dtype=torch.float32, autocast=torch.bfloat16, attached=attach)
    assert_same(job, expected, 1e-6)


@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("attach", [True, False])
def test_float16_with_a_loss_scale(attach, accumulate):
    def scaler():
        return torch.amp.GradScaler("cpu", init_scale=256.0, growth_interval=3)

    job, data = Job(dtype=torch.float32), batches(dtype=torch.float32)
    # Lightning takes bfloat16 for "16-mixed" on a CPU, unless it is given the plugin
    plugin = MixedPrecision("16-mixed", "cpu", scaler())
    used = trainer(
        Regularizing(RULES, attach=attach),
        plugins=[plugin],
        accumulate_grad_batches=accumulate,
        gradient_clip_val=0.5,
    )
    used.fit(job, Batches(data))
    expected = by_hand(
        data, dtype=torch.float32, autocast=torch.float16, scaler=scaler(), attached=attach,
        accumulate=accumulate, clip=0.5,
    )  # fmt: skip
    assert plugin.scaler.get_scale() > 256
    assert_same(job, expected, 1e-6)


# of Dynamo, whenever it traces a Function of one's own
@pytest.mark.filterwarnings("ignore:.*autograd.function.Function.* should not be instantiated")
@pytest.mark.parametrize("part", ["module", "net"])
def test_compiled(part):
    torch._dynamo.reset()

    class Quiet(Job):
        def training_step(self, x):  # Lightning's log() does not trace
            return self(x).square().mean()

    job, data = Quiet(), batches(4)
    rules = RULES
    if part == "net":
        job.net = torch.compile(job.net, backend="aot_eager")
        rules = [
            rz.activity(rz.L1(ACTIVITY), where=nn.Tanh),
            rz.kernel(rz.L2Squared(KERNEL)),
        ]
    fitted = torch.compile(job, backend="aot_eager") if part == "module" else job
    trainer(Regularizing(rules)).fit(fitted, Batches(data))
    assert_same(job, by_hand(data))


RESUMED = {
    "numbers": RULES,
    "a warmup": [
        rz.activity(rz.L1(rz.LinearWarmup(0.1, steps=30)), where="net.1"),
        rz.kernel(rz.L1(1e-3), proximal=True),
    ],
    "a target": [
        rz.activity(rz.L2Squared(rz.TargetMean(0.1)), where="net.1"),
        rz.constraint(rz.UnitNorm(axis="input"), where="net.2"),
    ],
    "the loss": [rz.activity(rz.L1(rz.TargetLoss(0.3)), where="net.1")],
    "initial": [rz.kernel(rz.L2Squared(0.1), towards="initial")],
}


@pytest.mark.filterwarnings("ignore:Checkpoint directory")  # it is that of the first run
@pytest.mark.parametrize("attach", [True, False])
@pytest.mark.parametrize("name", RESUMED)
def test_a_run_resumed_within_an_epoch_is_the_one_that_was_not_stopped(name, attach, tmp_path):
    rules, data = RESUMED[name], batches(11)
    if not attach and name in ("a warmup", "a target"):
        rules = rules[:1]
    settings = {"max_epochs": 3, "accumulate_grad_batches": 2, "enable_checkpointing": True}
    whole, resumed = Job(adam), Job(adam)
    first, second = Regularizing(rules, attach=attach), Regularizing(rules, attach=attach)
    saves = [ModelCheckpoint(tmp_path, every_n_train_steps=9, save_top_k=-1) for _ in range(2)]
    trainer(first, saves[0], **settings).fit(whole, Batches(data))
    (path,) = tmp_path.glob("*step=9.ckpt")
    used = trainer(second, saves[1], **settings)
    used.fit(resumed, Batches(data), ckpt_path=path)
    assert used.global_step == 18
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert repr(second.state_dict()) == repr(first.state_dict())


def test_a_checkpoint_of_other_rules_is_said(tmp_path):
    job = Job()
    used = trainer(Regularizing(RULES))
    used.fit(job, Batches(batches()))
    used.save_checkpoint(tmp_path / "last.ckpt")
    rules = [rz.activity(rz.L1(rz.LinearWarmup(0.1, steps=9)), where="net.1")]
    again = trainer(Regularizing(rules), max_epochs=2)
    with pytest.raises(ConfigurationError, match=r"the state is of other rules, at net\.1"):
        again.fit(job, Batches(batches()), ckpt_path=tmp_path / "last.ckpt")
    assert_clean(job, again)


WARMUP = [rz.activity(rz.L1(rz.LinearWarmup(0.1, steps=30)), where="net.1")]
STRENGTH = "net.1/activity/L1"


def test_a_second_fit_of_one_trainer_goes_on():
    whole, job, callback = Job(), Job(), Regularizing(WARMUP)
    trainer(Regularizing(WARMUP), max_epochs=2).fit(whole, Batches(batches()))
    used = trainer(callback)
    used.fit(job, Batches(batches()))
    assert callback.regularization is None
    assert callback.state_dict()["steps"] == 10
    used.fit_loop.max_epochs = 2
    used.fit(job, Batches(batches()))
    assert callback.state_dict()["steps"] == 20
    assert callback.state_dict()["strengths"][STRENGTH] == pytest.approx(0.1 * 20 / 30)
    assert_clean(job, used)


def test_another_trainer_begins_anew():
    callback = Regularizing(WARMUP)
    for _ in range(2):
        job = Job()
        used = trainer(callback)
        used.fit(job, Batches(batches()))
        assert callback.state_dict()["steps"] == 10
        assert_clean(job, used)
    expected = Job()
    trainer(Regularizing(WARMUP)).fit(expected, Batches(batches()))
    assert_same(job, list(expected.parameters()), 0)


def test_two_trainers_at_once_are_refused():
    callback, inner = Regularizing(RULES), Job()

    class Nested(Job):
        def on_train_batch_start(self, *_):
            trainer(callback).fit(inner, Batches(batches()))

    job = Nested()
    used = trainer(callback)
    with pytest.raises(ConfigurationError, match="another trainer is fitting with this callback"):
        used.fit(job, Batches(batches()))
    assert_clean(job, used)
    used = trainer(callback)
    used.fit(inner, Batches(batches()))
    assert_same(inner, by_hand(batches()))


@pytest.mark.filterwarnings("ignore:.*The number of training batches")
@pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint")
@pytest.mark.parametrize("attach", [True, False])
def test_a_learning_rate_finder_leaves_the_strengths_and_tries_with_the_penalty(attach, tmp_path):
    """Both ways of Lightning: before fit, and within it."""
    found = []
    for rules in (WARMUP, [rz.activity(rz.L1(5.0), where="net.1")]):
        job, callback = Job(), Regularizing(rules, attach=attach)
        used = trainer(callback, default_root_dir=tmp_path)
        loader = torch.utils.data.DataLoader(batches(), batch_size=None)
        finder = Tuner(used).lr_find(job, loader, num_training=8, early_stop_threshold=None)
        assert_same(job, list(Job().parameters()), 0)
        assert callback.state_dict().get("steps", 0) == 0
        assert_clean(job, used)
        found.append(finder.results["loss"])
    assert found[1][0] > found[0][0] + 1

    class Finder(LearningRateFinder):
        def lr_find(self, trainer, job):
            super().lr_find(trainer, job)
            assert callback.regularization.state_dict()["steps"] == 0
            for group in trainer.optimizers[0].param_groups:
                group["lr"] = 0.05

    expected, job, callback = Job(), Job(), Regularizing(WARMUP, attach=attach)
    trainer(Regularizing(WARMUP)).fit(expected, Batches(batches()))
    used = trainer(
        Finder(num_training_steps=8, early_stop_threshold=None),
        callback,
        default_root_dir=tmp_path,
    )
    used.fit(job, loader)
    assert callback.state_dict()["steps"] == 10
    assert_same(job, list(expected.parameters()), 0)
    assert_clean(job, used)


@pytest.mark.filterwarnings("ignore:.*The number of training batches")
def test_a_batch_size_finder_leaves_the_strengths(tmp_path):
    class Sized(Job):
        def train_dataloader(self):
            return torch.utils.data.DataLoader(torch.cat(batches()), batch_size=self.batch_size)

    job, callback = Sized(), Regularizing(WARMUP)
    used = trainer(callback, default_root_dir=tmp_path)
    Tuner(used).scale_batch_size(job, max_trials=2, steps_per_trial=2)
    assert_same(job, list(Job().parameters()), 0)
    assert callback.state_dict()["steps"] == 0
    assert_clean(job, used)


def test_validation_is_untouched():
    """Nothing is read there; the logged loss is that of the weights, without penalties."""
    job, data, read = Validated(), batches(), []

    class Looking(lightning.pytorch.Callback):
        def on_validation_end(self, trainer, job):
            net = job.net
            with torch.no_grad():
                expected = torch.stack([net(x).square().mean() for x in data])
            sizes = torch.tensor([len(x) for x in data])
            mean = (expected * sizes).sum() / sizes.sum()
            read.append((trainer.callback_metrics["validation"].item(), mean.item()))

    used = trainer(Regularizing(RULES), Looking(), val_check_interval=3)
    used.fit(job, Batches(data), Batches(data))
    assert_same(job, by_hand(data))
    assert len(read) >= 3
    for logged, expected in read[1:]:
        assert logged == pytest.approx(expected, rel=1e-6)


class Interrupted(Job):
    def __init__(self, error: type[BaseException]) -> None:
        super().__init__()
        self.error = error

    def on_after_backward(self):
        if self.global_step == 3:
            raise self.error("by the test")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_interrupted_run_leaves_no_hook(error):
    job, callback = Interrupted(error), Regularizing(WARMUP)
    used = trainer(callback)
    with pytest.raises(SystemExit if error is KeyboardInterrupt else error):
        used.fit(job, Batches(batches()))
    assert_clean(job, used)
    assert callback.state_dict()["steps"] == 3


def test_rules_that_match_nothing_raise_before_the_first_batch():
    steps = []
    job = Job(returned=lambda loss, index: steps.append(index))
    used = trainer(Regularizing([rz.activity(rz.L1(0.1), where="net.9")]))
    with pytest.raises(SelectionError, match=r"net\.9.*matches nothing"):
        used.fit(job, Batches(batches()))
    assert steps == []
    assert_clean(job, used)


def test_two_callbacks_with_equal_rules_are_refused():
    with pytest.raises(
        RuntimeError, match=r"more than one stateful callback of type .Regularizing"
    ):
        trainer(Regularizing(RULES), Regularizing(RULES))
    job = Job()
    used = trainer(Regularizing(RULES), Regularizing(RULES[:1], name="second"))
    with pytest.raises(ConfigurationError, match=r"two callbacks have L1\(0.1\) at net\.1"):
        used.fit(job, Batches(batches()))
    assert_clean(job, used)


def test_two_callbacks_with_other_rules_add_up():
    job, data = Job(), batches()
    used = trainer(Regularizing(RULES[:1]), Regularizing(RULES[1:], name="weights"))
    used.fit(job, Batches(data))
    assert_same(job, by_hand(data))
    assert_clean(job, used)


class Manual(Job):
    """An adversarial pair, as far as its optimizers go."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, x):
        for optimizer in self.optimizers():
            optimizer.zero_grad()
        self.manual_backward(self.net(x).square().mean())
        for optimizer in self.optimizers():
            optimizer.step()

    def configure_optimizers(self):
        return [sgd(self.net[0].parameters()), sgd(self.net[2].parameters())]


def test_manual_optimization_with_several_optimizers():
    """Weights act in the steps of all; what is in the loss is refused."""
    for rules, attach in ((RULES, True), (RULES[1:], False)):
        job = Manual()
        used = trainer(Regularizing(rules, attach=attach))
        with pytest.raises(RegimeError, match=r"write loss \+ reg\.penalty\(\)"):
            used.fit(job, Batches(batches()))
        assert_clean(job, used)

    job, data = Manual(), batches()
    trainer(Regularizing(RULES[1:])).fit(job, Batches(data))
    net = Job().net
    optimizer = sgd(net.parameters())
    for x in data:
        optimizer.zero_grad()
        net(x).square().mean().backward()
        for layer in (net[0], net[2]):
            layer.weight.grad += 2 * KERNEL * layer.weight.detach()
        optimizer.step()
    assert_same(job, list(net.parameters()))


def test_a_strategy_that_was_never_measured_is_refused():
    class Other(lightning.pytorch.strategies.Strategy):
        pass

    Other.__abstractmethods__ = frozenset()
    used = trainer(Regularizing(RULES))
    real, used.strategy.__class__ = used.strategy.__class__, Other
    with pytest.raises(RegimeError, match=r"expected DDPStrategy, .*got Other"):
        used.callbacks[0].on_fit_start(used, Job())
    used.strategy.__class__ = real


def test_a_rule_for_the_output_of_the_whole_is_refused():
    """The LightningModule has none that is sure to be computed in a step."""
    job = Job()
    used = trainer(Regularizing([rz.activity(rz.L1(0.1), where="")]))
    with pytest.raises(OutputError, match=r"\(root\): expected a tensor, got None"):
        used.fit(job, Batches(batches()))
    assert_clean(job, used)


def test_a_step_that_another_has_replaced_is_given_back():
    job, data = Job(), batches()
    used = trainer(Regularizing(RULES[:1]), Regularizing(RULES[1:], name="weights"))
    calls, real = [], used.strategy.training_step
    used.strategy.training_step = lambda *args: calls.append(1) or real(*args)
    mine = used.strategy.training_step
    used.fit(job, Batches(data))
    assert used.strategy.training_step is mine
    assert len(calls) == len(data)
    assert_same(job, by_hand(data))


def test_a_callback_can_be_sent_to_the_processes_that_a_strategy_spawns():
    callback = pickle.loads(pickle.dumps(Regularizing(RULES)))
    job, data = Job(), batches()
    trainer(callback).fit(job, Batches(data))
    assert_same(job, by_hand(data))


def test_a_setting_that_there_is_not_is_said_at_once():
    with pytest.raises(TypeError, match="deliver"):
        Regularizing(RULES, deliver="inject")


class Logged(lightning.pytorch.loggers.logger.Logger):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = {}

    name, version = "kept", "0"

    def log_hyperparams(self, *_, **__):
        pass

    def log_metrics(self, metrics, step=None):
        self.rows.setdefault(step, {}).update(metrics)


def test_what_is_logged_and_when(monkeypatch):
    """The penalty of the last batch, apart from the task's loss, in every fourth step."""
    calls = []
    real = rz.Regularization.as_dict
    monkeypatch.setattr(rz.Regularization, "as_dict", lambda reg: calls.append(reg) or real(reg))
    job, data, logger = Job(), batches(), Logged()
    rules = [*RULES, rz.activity(rz.L2Squared(rz.TargetMean(0.1)), where="net.1")]
    callback = Regularizing(rules, monitor={"where": "net.1"})
    seen = {}

    class Looking(lightning.pytorch.Callback):
        def on_train_batch_start(self, trainer, job, batch, index):
            if index % 4 == 3:
                with torch.no_grad():
                    coding = job.net[:2](batch)
                seen[index] = ACTIVITY * coding.abs().sum().item() / len(batch)

    trainer(callback, Looking(), logger=logger, log_every_n_steps=4).fit(job, Batches(data))
    assert [*logger.rows] == [3, 7]
    assert len(calls) == 2
    for step, row in logger.rows.items():
        assert row[STRENGTH] == pytest.approx(seen[step], rel=1e-6)
        assert row["net.1/activity/L2Squared/wanted"] == pytest.approx(0.1)
        assert row["net.1/activity/L2Squared/measured"] > 0
        assert row["net.0.weight/kernel/L2Squared/strength"] == pytest.approx(KERNEL)
        assert row["net.1/norm"] > 0
        assert row["task"] > 0
    silent = Logged()
    trainer(Regularizing(RULES, log=False), logger=silent).fit(Job(), Batches(data))
    assert {*silent.rows[0]} == {"task", "epoch"}


def test_the_monitor_reads_the_steps_since_the_last_row():
    job, data, logger = Job(), batches(4), Logged()
    options = {"where": "net.1", "metrics": [rz.monitor.MeanActivation()]}
    means = []

    class Looking(lightning.pytorch.Callback):
        def on_train_batch_start(self, trainer, job, batch, index):
            with torch.no_grad():
                job.net.eval()
                means.append(job.net[:2](batch).flatten())
                job.net.train()

    trainer(
        Regularizing(RULES, monitor=options), Looking(), logger=logger, log_every_n_steps=2
    ).fit(job, Batches(data))
    for row, pair in zip(logger.rows.values(), (means[:2], means[2:]), strict=True):
        assert row["net.1/mean_activation"] == pytest.approx(torch.cat(pair).mean().item())


@pytest.mark.parametrize("accumulate", [1, 3])
def test_the_strength_of_a_target_of_the_loss_is_that_of_a_loop_by_hand(accumulate):
    rules = [rz.activity(rz.L1(rz.TargetLoss(0.3)), where="net.1")]
    job, callback, data = Job(adam), Regularizing(rules), batches(12)
    trainer(callback, max_epochs=4, accumulate_grad_batches=accumulate).fit(job, Batches(data))
    net = Job().net
    rules = [rz.activity(rz.L1(rz.TargetLoss(0.3)), where="1")]
    reg, optimizer = rz.Regularization(net, rules), adam(net.parameters())
    for _ in range(4):
        for first in range(0, 12, accumulate):
            losses = []
            optimizer.zero_grad()
            for x in data[first : first + accumulate]:
                losses.append(net(x).square().mean())
                ((losses[-1] + reg.penalty()) / accumulate).backward()
            optimizer.step()
            reg.step(loss=sum(losses).detach() / len(losses))
    strength = reg.strengths["1/activity/L1"]
    assert strength > 0
    assert callback.state_dict()["strengths"][STRENGTH] == pytest.approx(strength, rel=1e-9)
    assert_same(job, list(net.parameters()), 1e-9)
