"""Sparse autoencoders against a known dictionary: what the command shows, keeps and refuses."""

import contextlib
import json
import math
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

import regularizers as rz
from recipes.commands import assert_refused, figures, only_folder, run

# a recipe's parts are private; each is tested without the training around it
from regularizers.recipes.superposition import Config, _command, _figures, _ours, _saelens
from regularizers.recipes.superposition._figures import Figures, measure
from regularizers.recipes.superposition._ours import train_ours
from regularizers.recipes.superposition._rows import best_rows
from regularizers.recipes.superposition._search import following, matched
from regularizers.recipes.superposition._table import results_table
from regularizers.recipes.superposition._theirs import train_theirs
from regularizers.recipes.superposition._trainings import Training, trainings_of
from regularizers.sae import SparseAutoencoder, Superposition

COMMAND = ["sparse-autoencoder", "superposition"]
QUICK = [*COMMAND, "--problems", "A2", "--architectures", "jumprelu", "--samples", "2100"]
QUICK += ["--jobs", "1"]
STEPS = 4
"""Updates of 512 samples."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that nobody interrupted."""
    parent = tmp_path_factory.mktemp("whole")
    assert run(*QUICK, "--runs", parent) == 0
    return only_folder(parent)


def without_seconds(folder):
    """The figures of a folder, but for the time they took."""
    records = figures(folder)
    for record in records:
        del record["figures"]["seconds"]
    return records


def made_up(**changed) -> Figures:
    fine = Figures(
        l0=2.8, explained_variance=0.5, f1=0.6, mcc=0.7, dead=1, surplus=0, surplus_dead=0,
        seconds=10.0,
    )  # fmt: skip
    return replace(fine, **changed)


def test_it_ends_with_a_table_a_picture_and_a_folder_named_in_the_last_line(
    whole, tmp_path, capsys
):
    again = tmp_path / whole.name
    shutil.copytree(whole, again)
    (again / "table.txt").unlink()
    (again / "picture.png").unlink()
    assert run(*COMMAND, "--resume", again) == 0
    printed = capsys.readouterr().out.strip().splitlines()
    assert printed[0] == (
        "A2: 256 features in 64 dimensions, 2.8 active; 256 latents, 4 updates of 512 samples"
    )
    assert printed[1] == "2 trainings"
    assert printed[-1].endswith(str(again))
    table = (again / "table.txt").read_text().splitlines()
    assert table == printed[3:-2]
    assert re.split(r"\s{2,}", table[0]) == [
        *("problem", "library", "trainer", "rate", "L0", "EV", "F1", "MCC", "dead", "CPU s")
    ]
    kept = [record["figures"] for record in figures(whole)]
    assert [record["seed"] for record in figures(whole)] == [1, 2]
    row = re.split(r"\s{2,}", table[2])
    assert row[:4] == ["A2", "regularizers", "jumprelu", "0.003"]
    for cell, name in ((5, "explained_variance"), (6, "f1"), (7, "mcc")):
        assert row[cell] == f"{np.mean([one[name] for one in kept]):.3f}"
    assert (again / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((again / "config.json").read_text())["problems"] == ["A2"]
    assert again.name.startswith("superposition-")


def test_figures_are_those_of_the_training_by_hand(whole):
    problem = Superposition.named("A2")
    torch.manual_seed(2)
    sae = rz.sae.SparseAutoencoder(64, 256, 2.8)
    rz.sae.train(sae, problem.batches(512, STEPS, seed=102), learning_rate=3e-3, seed=2)
    w = {name: value.double().numpy() for name, value in sae.state_dict().items()}

    def code_of(x):
        z = (w["scale"] * x - w["decoder.bias"]) @ w["encoder.weight"].T + w["encoder.bias"]
        return z * (z > w["coding.gate.threshold"])

    x = np.concatenate([batch.double().numpy() for batch in problem.batches(512, 100, seed=99)])
    code = code_of(x)
    made = (code @ w["decoder.weight"].T + w["decoder.bias"]) / w["scale"]
    (shown,) = [one["figures"] for one in figures(whole) if one["seed"] == 2]
    assert shown["l0"] == pytest.approx((code != 0).sum(1).mean(), rel=1e-3)
    error, variance = ((x - made) ** 2).sum(), ((x - x.mean(0)) ** 2).sum()
    assert shown["explained_variance"] == pytest.approx(1 - error / variance, abs=1e-4)
    assert shown["dead"] == ((code != 0).sum(0) == 0).sum()

    cosines = np.abs(problem.dictionary.double().numpy() @ w["decoder.weight"])
    features, units = linear_sum_assignment(-cosines)
    assert shown["mcc"] == pytest.approx(cosines[features, units].mean(), abs=1e-5)
    generator = torch.Generator().manual_seed(98)
    drawn = [problem.sample(min(4096, 51_200 - i), generator) for i in range(0, 51_200, 4096)]
    fires = np.concatenate([one.coefficients.numpy() for one in drawn]) != 0
    found = code_of(np.concatenate([one.x.double().numpy() for one in drawn]))[:, units] != 0
    both = (fires[:, features] & found).sum()
    assert shown["f1"] == pytest.approx(2 * both / (fires.sum() + found.sum()), abs=1e-4)
    assert shown["surplus"] == 0


def test_an_interrupted_run_goes_on_and_ends_with_the_same_figures(
    whole, tmp_path, capsys, monkeypatch
):
    def until_the_second(training):
        if training.seed == 2:
            raise KeyboardInterrupt
        return train_ours(training)

    with monkeypatch.context() as patched:
        patched.setattr(_command, "train_ours", until_the_second)
        assert run(*QUICK, "--runs", tmp_path) == 130
    folder = only_folder(tmp_path)
    go_on = f"Go on with: regularizers sparse-autoencoder superposition --resume {folder}"
    assert capsys.readouterr().out.strip().endswith(go_on)
    assert [record["seed"] for record in figures(folder)] == [1]
    assert run(*COMMAND, "--resume", folder) == 0
    trained = re.findall(r"^A2, seed .*(?=: L0)", capsys.readouterr().out, re.MULTILINE)
    assert trained == ["A2, seed 2, regularizers jumprelu"]
    assert without_seconds(folder) == without_seconds(whole)
    assert (folder / "picture.png").is_file()


def test_l1_is_refit_and_what_a_training_warns_of_is_kept(monkeypatch):
    refit = []
    monkeypatch.setattr(_ours, "debias", lambda sae, data, seed: refit.append((len(data), seed)))
    monkeypatch.setattr(_ours, "measure", lambda *_: made_up())
    for architecture in ("topk", "l1"):
        train_ours(Training("A2", 3, "regularizers", architecture, 3e-3, 1.0, 1024))
    assert refit == [(2, 3)]
    # more active than dimensions
    monkeypatch.setattr(Training, "active", 70.0)
    kept = train_ours(Training("A2", 3, "regularizers", "topk", 3e-3, 1.0, 1024))
    assert any("active" in said for said in kept.warnings)


class Theirs(torch.nn.Module):
    """Stands for a trainer of SAELens that makes this autoencoder."""

    def __init__(self, sae, steps=0):
        super().__init__()
        self.sae, self.seen = sae, []

    def settings(self, trainer, units, active, coefficient, widths):
        return {"trainer": trainer, "active": active, "coefficient": coefficient}

    def build(self, trainer, features, units, options, seed):
        self.built = (trainer, features, units, options, seed)
        return self

    def trainer_of(self, sae, batches, **settings):
        self.batches, self.told = batches, settings
        return self

    def fit(self):
        self.seen = list(self.batches)

    def save_inference_model(self, path):
        rz.sae.save(self.sae, path / "ours")
        for file in (path / "ours").iterdir():
            file.rename(path / file.name)


@pytest.fixture
def theirs(monkeypatch):
    torch.manual_seed(0)
    sae = SparseAutoencoder(64, 512, 2.8, architecture="l1")
    sae.calibrate(next(iter(Superposition.named("A2").batches(512, 1, seed=0))))
    stand_in = Theirs(sae)
    for name in ("settings", "build", "trainer_of"):
        monkeypatch.setattr(_saelens, name, getattr(stand_in, name))
    monkeypatch.setattr(_saelens, "silenced", contextlib.nullcontext)
    monkeypatch.setattr(_figures, "HELD_OUT", 5120)
    return stand_in


def test_theirs_see_the_samples_of_ours_once_and_are_measured_as_ours(theirs):
    found = train_theirs(Training("A2", 1, "SAELens", "batchtopk", 1e-2, 2.0, 2100))
    settings = {"trainer": "batchtopk", "active": 2.8, "coefficient": None}
    assert theirs.built == ("batchtopk", 64, 512, settings, 1)
    assert theirs.told == {"steps": STEPS, "batch": 512, "learning_rate": 1e-2}
    same = list(Superposition.named("A2").batches(512, STEPS, seed=101))
    assert len(theirs.seen) == STEPS
    assert all(torch.equal(one, other) for one, other in zip(theirs.seen, same, strict=True))
    assert found is not None
    seconds = found.seconds
    assert found == measure(theirs.sae, Superposition.named("A2"), seconds)
    assert found.surplus == 256


def test_a_training_of_theirs_that_diverges_has_no_figures(theirs):
    with torch.no_grad():
        theirs.sae.encoder.weight[0, 0] = math.nan
    assert train_theirs(Training("A2", 1, "SAELens", "batchtopk", 1e-2, 2.0, 1024)) is None


def test_saelens_itself_trains(tmp_path, capsys):
    pytest.importorskip("sae_lens")
    options = ["--against", "saelens", "--theirs", "topk", "gated", "--rates", "1e-2"]
    assert run(*QUICK, "--seeds", 1, *options, "--runs", tmp_path) == 0
    shown = {one["architecture"]: one["figures"] for one in figures(only_folder(tmp_path))}
    assert shown["topk"]["l0"] == pytest.approx(3, abs=0.01)
    assert shown["gated"]["coefficient"] > 0


def test_the_next_coefficient_by_hand():
    assert following([], 8, first=0.3) == 0.3
    # twice too dense: by the square of it; sixteen times counts as eight, and the factor ends at 10
    assert following([(1.0, 16.0)], 8, 1.0) == pytest.approx(4)
    assert following([(1.0, 128.0)], 8, 1.0) == pytest.approx(10)
    assert following([(2.0, 7.9)], 8, 1.0) == pytest.approx(1)
    assert following([(1.0, 0.0)], 8, 1.0) == pytest.approx(0.1)
    # between: log c goes in proportion to log L0
    assert following([(1.0, 16.0), (4.0, 4.0)], 8, 1.0) == pytest.approx(2)
    assert following([(1.0, 16.0), (8.0, 2.0)], 8, 1.0) == pytest.approx(2)
    # through three: log2 c = 1 - y + (y² - 1)/4 at log2 (L0/8) = y: 2.25, 1 and 0 for -1, ...
    curve = {y: 1 - y + (y * y - 1) / 4 for y in (-1, 1, 2)}
    tried = [(2**x, 8 * 2.0**y) for y, x in curve.items()]
    assert following(tried, 8, 1.0) == pytest.approx(2**0.75)


def test_a_search_ends_near_the_l0_and_keeps_the_nearest():
    asked = []

    def train(coefficient):
        asked.append(coefficient)
        return made_up(l0=30 * coefficient**-0.7)

    found = matched(train, 8.0)
    assert found.l0 == pytest.approx(8, rel=0.02)
    assert found.tries == len(asked) <= 4
    assert found.coefficient == asked[-1] == pytest.approx((30 / 8) ** (1 / 0.7), rel=0.03)
    # no coefficient helps: four trainings, and the first of the nearest
    asked.clear()
    found = matched(lambda c: made_up(l0=9.0 if asked.append(c) is None else 0), 8.0)
    assert (found.tries, found.coefficient) == (4, 1.0)
    assert matched(lambda _: None, 8.0) is None


def test_each_of_theirs_is_shown_at_its_best_rate_and_divergence_is_named():
    def training(library, what, rate, seed, problem="A2"):
        return Training(problem, seed, library, what, rate, 2.0)

    evs = {1e-3: (0.4, 0.6), 1e-2: (0.55, 0.56), 2e-2: (0.9, None)}
    results = {training("regularizers", "topk", 3e-3, 1): made_up(l0=3.0)}
    for rate, of_seeds in evs.items():
        for seed, ev in enumerate(of_seeds, 1):
            results[training("SAELens", "gated", rate, seed)] = (
                None
                if ev is None
                else made_up(explained_variance=ev, tries=3, dead=seed, surplus=256, surplus_dead=4)
            )
    results[training("SAELens", "l1", 1e-2, 1)] = None
    ours, gated = best_rows(results)
    assert (gated.architecture, gated.learning_rate) == ("gated", 1e-2)
    assert gated.mean("explained_variance") == pytest.approx(0.555)
    table = results_table(results).splitlines()
    assert re.split(r"\s{2,}", table[0])[8:] == ["dead", "surplus (dead)", "CPU s"]
    assert re.split(r"\s{2,}", table[3])[3:] == [
        *("0.01", "2.80", "0.555", "0.600", "0.700", "1.5", "256 (4)", "10")
    ]
    # topk rounds 2.8 to 3
    assert re.split(r"\s{2,}", table[2])[4] == "3.00*"
    assert "* L0 is more than 2% from what was asked for." in table
    assert "SAELens: each trainer at the best by EV of the rates 0.001, 0.01, 0.02." in table
    assert table[-1] == "Weights were not finite at any rate: SAELens l1 on A2."
    assert "searched in up to 3." in "\n".join(table)
    assert ours.is_ours
    assert not gated.is_ours


def test_trainings_are_all_that_settings_name_once():
    config = Config(("B8", "A2"), ("l1", "l1"), against="saelens", theirs=("topk",), rates=(1, 2))
    assert [str(one) for one in trainings_of(config)] == [
        f"{problem}, seed {seed}, {what}"
        for problem in ("B8", "A2")
        for what in ("regularizers l1", "SAELens topk at 1", "SAELens topk at 2")
        for seed in (1, 2)
    ]
    assert not any(one.library == "SAELens" for one in trainings_of(Config()))


@pytest.mark.parametrize("problem", ["A2", "A8", "B8"])
def test_what_is_asked_for_is_the_true_l0(problem):
    training = Training(problem, 1, "regularizers", "jumprelu", 3e-3, 1.0)
    assert training.active == pytest.approx(training.source().active, abs=1e-6)
    assert training.latents(training.source()) == {"A2": 256, "A8": 256, "B8": 1024}[problem]
    assert training.steps * 512 in range(599_000 if problem == "B8" else 999_000, 1_000_001)


AGAINST = ["--against", "saelens"]
REFUSED = {
    "units": (["--units", "0"], "units: expected a positive and finite multiple"),
    "few units": (
        ["--units", "0.01"],
        "units: .* of A8 that makes more latents than the 8 .* makes 3",
    ),
    "samples": (["--samples", "511"], "samples: expected 512 or more"),
    "rate": (["--learning-rate", "inf"], "learning-rate: expected positive and finite, got inf"),
    "seeds": (["--seeds", "0"], "seeds: expected 1 or more, got 0"),
    "seed": (["--seed", "-1"], "seed: expected 0 or more, got -1"),
    "jobs": (["--jobs", "0"], "jobs: expected 1 or more, got 0"),
    "problems": (["--problems"], "problems: expected one or more of A2, A8, B8, got none"),
    "none": (["--architectures"], "architectures: expected one or more to train, got none"),
    "rates alone": (["--rates", "1"], "rates: expected --against saelens with it, .* got none"),
    "theirs alone": (["--theirs", "topk"], "theirs: expected --against saelens with it"),
    "their rate": ([*AGAINST, "--rates", "-1"], "rates: expected positive and finite, got -1"),
    "no rates": ([*AGAINST, "--rates"], "rates: expected one or more with --against saelens"),
    "no theirs": ([*AGAINST, "--theirs"], "theirs: expected one or more with --against saelens"),
    "no saelens": (AGAINST, "against: expected SAELens .* pip install sae-lens, or leave"),
    "no run folder": (["--resume", "gone"], "resume: expected the folder of an earlier run"),
    "others": (["--resume", "gone", "--problems", "A8"], "resume: .* got --problems"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_message_without_a_traceback_and_status_2(
    case, tmp_path, capsys, monkeypatch
):
    arguments, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "sae_lens", None)  # as if it were not installed
    assert_refused([*COMMAND, *arguments], message, capsys)


def test_a_rate_at_which_ours_diverges_says_so(tmp_path, capsys):
    assert run(*QUICK, "--learning-rate", 1e30, "--runs", tmp_path) == 2
    assert "lower the learning rate" in capsys.readouterr().err


def test_resuming_on_other_samples_is_refused(whole, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(whole, folder)
    kept = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(kept | {"data_digest": "0" * 16}))
    assert run(*COMMAND, "--resume", folder) == 2
    assert "A2 is not the data this run began with" in capsys.readouterr().err


def test_the_menu_names_it_and_a_mistyped_option_is_refused(capsys):
    for arguments, status in ((["--help"], 0), ([*COMMAND, "--help"], 0), ([*COMMAND, "--sed"], 2)):
        with pytest.raises(SystemExit) as ended:
            run(*arguments)
        assert ended.value.code == status
        captured = capsys.readouterr()
        if status:
            assert "--sed" in captured.err
        else:
            assert "sparse-autoencoder superposition" in captured.out
    assert run("sparse-autoencoder", "--units", "0") == 2  # the recipe of one word is as it was
    assert "units: expected 1 or more" in capsys.readouterr().err


DAMAGED = {
    "half": (
        lambda text: text[:200],
        r"metrics\.json: expected JSON, got a damaged file .*delete it",
    ),
    "empty": (lambda text: "", r"metrics\.json: expected JSON, got an empty file; delete it, and"),
    "words": (
        lambda text: text.replace('"seed": 1', '"seed": "1"'),
        r"\[0\]\.seed: expected int, got str",
    ),
    "foreign": (lambda text: '{"none": {}}', r"metrics\.json: expected array, got object; delete"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_figures_are_named_with_the_cure(case, whole, tmp_path, capsys):
    damage, message = DAMAGED[case]
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    metrics = folder / "metrics.json"
    metrics.write_text(damage(metrics.read_text()))
    assert run(*COMMAND, "--resume", folder) == 2
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1
    assert re.search(message, err), err


def test_a_training_is_run_anew(whole, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    name = "A2, seed 2, regularizers jumprelu"
    assert run(*COMMAND, "--resume", folder, "--from-scratch", "A2") == 2
    assert "from-scratch: expected networks of the run, A2, seed 1, " in capsys.readouterr().err
    assert run(*COMMAND, "--resume", folder, "--from-scratch", name) == 0
    assert re.findall(r"^A2, seed .*(?=: L0)", capsys.readouterr().out, re.MULTILINE) == [name]
    assert without_seconds(folder) == without_seconds(whole)
