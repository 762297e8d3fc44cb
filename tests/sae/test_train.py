"""The training: the stated number of active units, norms, interruption, other loops."""

import itertools
import warnings

import lightning
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import regularizers as rz
from regularizers.errors import ConfigurationError, DataError, RunFolderError

# the position of a training's batches has no public way in
from regularizers.sae._batches import batches_of
from sae.problems import superposed
from sae.resumed import are_equal, data_of, trained

STEPS = 400


def fresh(architecture="jumprelu", active=2, seed=0):
    torch.manual_seed(seed)
    return rz.sae.SparseAutoencoder(8, 16, active, architecture)


def train(sae, data, steps=STEPS, **options):
    with warnings.catch_warnings():
        # so short a training may end before the target is reached
        warnings.filterwarnings("ignore", message=".*TargetActive", category=UserWarning)
        return rz.sae.train(sae, data, steps=steps, batch_size=128, **options)


@pytest.mark.parametrize("architecture", ["jumprelu", "batchtopk"])
def test_few_units_are_active_and_explain_most(architecture):
    x, dictionary = superposed(20_000)
    sae = fresh(architecture)
    history = train(sae, x, steps=1000)
    sae.eval()
    with torch.no_grad():
        code, output = sae.encode(x), sae(x)
    active = (code > 0).sum(1).float().mean().item()
    explained = 1 - ((x - output).square().sum() / (x - x.mean(0)).square().sum()).item()
    assert active == pytest.approx(2, rel=0.05)
    assert explained > 0.75
    assert history.explained[-1] == pytest.approx(explained, abs=0.05)
    assert history.active[-1] == pytest.approx(active, rel=0.2)
    torch.testing.assert_close(sae.decoder.weight.norm(dim=0), torch.ones(16))
    found = (sae.decoder.weight.T.detach() @ dictionary.T).max(dim=0).values
    assert (found > 0.75).sum() >= 11


@pytest.mark.parametrize("architecture", ["topk", "gated", "l1"])
def test_every_architecture_trains(architecture):
    x, _ = superposed(4096)
    sae = fresh(architecture)
    history = train(sae, x)
    assert history.explained[-1] > 0.35  # L1 shrinks what few units it leaves
    assert history.active[-1] < 6
    torch.testing.assert_close(sae.decoder.weight.norm(dim=0), torch.ones(16))


def test_active_units_follow_a_schedule():
    x, _ = superposed(4096)
    sae = fresh("topk", active=rz.Cosine(8, 2, steps=100))
    history = train(sae, x, steps=200)
    assert history.active[0] > 6
    assert history.active[-1] <= 2
    assert sae.coding.k == 2


class Interrupted(lightning.Callback):
    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            raise RuntimeError("interrupted")


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [("jumprelu", "tensor"), ("batchtopk", "store"), ("jumprelu", "stream")],
)
def test_an_interrupted_training_ends_as_if_it_had_not_been(architecture, kind, tmp_path):
    steps, points, store = 120, tmp_path / "points", tmp_path / "store"
    expected = trained(architecture, data_of(kind, store), steps)
    assert expected["history"]["revived"][-1] > 0
    for step in (47, 91):
        again, stop = data_of(kind, store), Interrupted(step)
        with pytest.raises(RuntimeError, match="interrupted"):
            trained(architecture, again, steps, points, callbacks=stop)
    again = data_of(kind, store)
    assert are_equal(trained(architecture, again, steps, points), expected)


@pytest.mark.parametrize("given", ["loader", "list", "generator"])
def test_other_data_is_taken_in_its_own_order(given):
    x, _ = superposed(64 * 30)
    batches = [*x.split(64)]
    data = {
        "loader": lambda: DataLoader(TensorDataset(x), 64),
        "list": lambda: batches,
        "generator": lambda: (batch for batch in batches),
    }[given]()
    steps = None if given != "generator" else 30
    if given == "generator":
        # its first batches, from which the scale is measured, cannot be taken again
        with pytest.raises(DataError, match="can be iterated again"):
            rz.sae.train(fresh(), data, steps=steps)
        return
    sae, other = fresh(), fresh()
    rz.sae.train(sae, data, steps=steps)
    rz.sae.train(other, batches)
    for name, value in sae.state_dict().items():
        assert value.equal(other.state_dict()[name])


def test_a_transcoder_learns_the_output_from_the_input():
    x, dictionary = superposed(4096)
    y = torch.relu(x @ dictionary[:5].T)
    torch.manual_seed(0)
    sae = rz.sae.Transcoder(8, 5, 16, active=2)
    history = train(sae, DataLoader(TensorDataset(x, y), 128))
    assert history.explained[-1] > 0.7
    torch.testing.assert_close(sae.decoder.weight.norm(dim=0), torch.ones(16))


def test_a_crosscoder_reconstructs_every_site():
    x, dictionary = superposed(4096)
    sites = {"early": x, "late": 30 * x @ dictionary[:, :8].T[:, :6] + 5}
    torch.manual_seed(0)
    sae = rz.sae.Crosscoder({"early": 8, "late": 6}, 16, active=2)
    batches = [
        {name: value[k : k + 128] for name, value in sites.items()} for k in range(0, 4096, 128)
    ]
    history = train(sae, batches)
    assert history.explained[-1] > 0.7
    sae.eval()
    for name, value in sae(sites).items():
        left = (sites[name] - value).square().sum() / (value - value.mean(0)).square().sum()
        assert left < 0.4


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": 0}, ConfigurationError, "steps: expected an integer of 1 or more, got 0"),
        ({"learning_rate": 0.0}, ConfigurationError, "learning_rate: expected a finite number"),
        ({"clip": float("inf")}, ConfigurationError, "clip: expected a finite number above 0"),
        ({"batch_size": 5000}, ConfigurationError, "batch_size: expected at most the 64 samples"),
    ],
)
def test_settings_that_cannot_be(options, error, message):
    with pytest.raises(error, match=message):
        rz.sae.train(fresh(), torch.randn(64, 8), **{"batch_size": 8} | options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (7, "got 7 of type int"),
        (None, "got None of type NoneType"),
    ],
)
def test_data_that_are_none(data, message):
    with pytest.raises(ConfigurationError, match=message):
        rz.sae.train(fresh(), data)


def test_steps_are_needed_where_the_data_has_no_length():
    with pytest.raises(ConfigurationError, match="a generator does not say how many batches"):
        rz.sae.train(fresh(), (x for x in ()))


def test_a_loss_that_is_not_finite_is_told_and_hooks_are_gone():
    x = torch.randn(640, 8)
    batches = [*x.split(64)]
    batches[-1] = batches[-1] * float("nan")
    sae = fresh()
    with pytest.raises(DataError, match=r"are finite|finite loss"):
        rz.sae.train(sae, batches, steps=100)
    assert not sae.coding.gate._forward_hooks
    assert sae.training


@pytest.mark.parametrize("given", [2, 3, 4, 6])
@pytest.mark.parametrize("kind", ["tensor", "store", "stream"])
def test_a_position_at_the_end_of_a_pass_is_one_at_the_start_of_the_next(tmp_path, kind, given):
    rows = torch.arange(48.0).reshape(12, 4)

    def stream():
        return rz.sae.activations(torch.nn.Identity(), "", rows.split(4), batch_size=4)

    def batches():
        data = {"tensor": lambda: rows, "store": lambda: tmp_path, "stream": stream}[kind]()
        return batches_of(data, steps=15, batch_size=4, seed=1)

    if kind == "store":
        stream().store(tmp_path)
    whole, first, resumed = list(batches()), batches(), batches()
    before = list(itertools.islice(first, given))
    resumed.load_state_dict(first.state_dict())
    between = list(itertools.islice(resumed, 4))
    again = batches()
    again.load_state_dict(resumed.state_dict())
    together = [*before, *between, *again]
    assert len(together) == 15
    assert all(a.equal(b) for a, b in zip(together, whole, strict=True))


def test_a_damaged_checkpoint_is_named_and_nothing_in_it_is_executed(tmp_path):
    x, _ = superposed(512)
    options = {"steps": 4, "checkpoints": tmp_path / "state"}
    train(fresh("topk"), x, **options)
    checkpoint = tmp_path / "state" / "last.ckpt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(RunFolderError, match=r"last\.ckpt: .* damaged file .*; delete it, and the"):
        train(fresh("topk"), x, **options)
    torch.save({"state_dict": Executed(tmp_path / "executed")}, checkpoint)
    with pytest.raises(RunFolderError, match=r"is not executed; delete it.*add_safe_globals"):
        train(fresh("topk"), x, **options)
    assert not (tmp_path / "executed").exists()


class Executed:
    """A pickle that makes a file when it is read."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return type(self.trace).touch, (self.trace,)
