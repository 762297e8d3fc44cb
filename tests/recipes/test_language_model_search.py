"""The language model's search: what it may read, what it leaves, and what it refuses."""

import json
import re
import shlex

import numpy as np
import pytest

import regularizers as rz
from recipes.commands import assert_refused, figures, only_folder, run
from regularizers.recipes import language_model
from regularizers.recipes.language_model import Config

# the search and its parts, without the training around them
from regularizers.recipes.language_model._corpus import read_corpus
from regularizers.recipes.language_model._network import LanguageModel
from regularizers.recipes.language_model._search import variant_of, without_end
from regularizers.recipes.language_model._sizes import Dropouts
from regularizers.recipes.language_model._strengths import STRENGTHS

SMALL = ["--embedding", 8, "--hidden", 10, "--batch-size", 4, "--window", 12, "--layers", 1]
QUICK = ["language-model", *SMALL, "--epochs", 1, "--seeds", 1, "--search", "ar", "tar"]


@pytest.fixture
def text(tmp_path):
    """A thousand words in which each says much about the next."""
    rng = np.random.default_rng(0)
    words = ["the cat", "a dog", "one fish"], ["sees", "hears", "wants"]
    subjects, verbs = words
    sentences = [
        f"{rng.choice(subjects)} {rng.choice(verbs)} {rng.choice(subjects)} .\n" for _ in range(150)
    ]
    path = tmp_path / "text.txt"
    path.write_text("".join(sentences), encoding="utf-8")
    return path


def kept(folder):
    return json.loads((folder / "search.json").read_text())


def test_it_ends_with_the_table_the_networks_and_the_command(tmp_path, text, capsys, monkeypatch):
    assert run(*QUICK, "--text", text, "--trials", 2, "--runs", tmp_path / "runs") == 0
    printed, folder = capsys.readouterr().out, only_folder(tmp_path / "runs")
    assert "Search for ar, tar: 2 trials by the last 10% of the training text" in printed
    assert re.search(r"^best trial +\S+ +\S+ +[\d.]+ +[\d.]+$", printed, re.MULTILINE)
    found = kept(folder)
    for kind in ("without", "found"):
        learned = figures(folder)[kind]["0"]
        assert found[kind]["outer"]["0"] == learned["epochs"][-1]["perplexity"]
        assert isinstance(rz.recipes.load(folder, f"{kind}-0").module, LanguageModel)
    inner = found["without"]["inner"]["0"]
    better = found["found"]["inner"]["0"] < inner
    assert ("No trial was better" in printed) == (not better)
    # the command trains with what was found
    (command,) = re.findall(r"^To use what was found: (.*)$", printed, re.MULTILINE)
    seen = []
    monkeypatch.setattr(language_model, "run", seen.append)
    assert run(*shlex.split(command)[1:]) == 0
    strengths = found["found"]["strengths"] if better else {"ar": 0.0, "tar": 0.0}
    assert {name: getattr(seen[0], name) for name in strengths} == strengths
    # a search that ended is shown again, and trains nothing
    assert run("language-model", "--resume", folder) == 0
    assert not re.findall(r"epoch 1 of|^trial", capsys.readouterr().out, re.MULTILINE)
    assert kept(folder) == found


def test_trials_read_the_training_text_alone(text):
    corpus = read_corpus(Config(text=text))
    inner = without_end(corpus)
    joined = np.concatenate([inner.training.tokens, inner.validation.tokens])
    assert (joined == corpus.training.tokens).all()
    assert len(inner.validation.tokens) == round(0.1 * len(joined))
    assert inner.test is None


def test_what_is_not_searched_is_off_or_as_it_was_set():
    config = Config(dropout=0.5, weight_decay=0.3)
    variant, given = variant_of(config, {"ar": 3.0})
    assert (variant.dropped, variant.alpha, variant.beta) == (True, 3.0, 0.0)
    assert given == config
    variant, given = variant_of(config, {"dropout": 0.0, "weight-decay": 0.2})
    assert (variant.alpha, variant.beta) == (0.0, 0.0)
    assert variant.dropouts(given) == Dropouts(0, 0, 0, 0, 0)
    assert given.weight_decay == 0.2


def test_the_first_trial_has_the_strengths_of_the_settings():
    usual = {s.name.replace("-", "_"): s.usual for s in STRENGTHS}
    assert usual == {name: getattr(Config(), name) for name in usual}


REFUSED = {
    "unknown": (["--search", "l1"], "search: expected some of dropout, ar, tar, weight-decay, got"),
    "no trials": (["--search", "ar", "--trials", "0"], "trials: expected 1 or more, got 0"),
    "given and searched": (
        ["--search", "dropout", "--dropout", "0.3"],
        "dropout: expected either a strength or a search for it, got --dropout 0.3",
    ),
    "off": (["--search", "ar", "--tar", "3"], "tar: .* leave it out, or say --search ar tar"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_message(case, tmp_path, capsys, monkeypatch):
    arguments, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    assert_refused(["language-model", *arguments], message, capsys)
