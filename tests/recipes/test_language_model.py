"""The language model from the command line: what it shows, keeps, repeats and refuses."""

import json
import math
import os
import re
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_model
from tokenizers import Tokenizer
from torch.nn.functional import cross_entropy
from torch.optim.optimizer import register_optimizer_step_post_hook

import regularizers as rz
from recipes.commands import after_line, assert_refused, figures, interrupted, only_folder, run
from regularizers.errors import ConfigurationError

# a recipe's parts are private; each is tested without the training around it
from regularizers.recipes._jobs import run_tasks
from regularizers.recipes.language_model import Config
from regularizers.recipes.language_model._corpus import Corpus, Part, read_corpus
from regularizers.recipes.language_model._metrics import measure
from regularizers.recipes.language_model._network import LanguageModel, detached
from regularizers.recipes.language_model._sampling import sample
from regularizers.recipes.language_model._sizes import Dropouts
from regularizers.recipes.language_model._symbols import Symbols
from regularizers.recipes.language_model._training import train
from regularizers.recipes.language_model._variants import variants_of
from regularizers.recipes.language_model._windows import Windows, streams_of, windows_of
from regularizers.recipes.language_model._words import tokens_of

VARIANTS = ["none", "dropouts", "dropouts + AR", "dropouts + TAR", "all"]
NO_DROPOUTS = Dropouts(0, 0, 0, 0, 0)
SMALL = ["--embedding", "8", "--hidden", "10", "--batch-size", "4", "--window", "12"]
QUICK = ["language-model", *SMALL, "--epochs", "1", "--seeds", "1", "--jobs", "1"]


@pytest.fixture
def text(tmp_path):
    """A thousand words in which each says much about the next."""
    rng = np.random.default_rng(0)
    subjects, verbs = ["the cat", "a dog", "one fish"], ["sees", "hears", "wants"]
    sentences = [
        f"{rng.choice(subjects)} {rng.choice(verbs)} {rng.choice(subjects)} .\n" for _ in range(150)
    ]
    path = tmp_path / "text.txt"
    path.write_text("".join(sentences), encoding="utf-8")
    return path


@pytest.fixture
def network():
    torch.manual_seed(0)
    return LanguageModel(17, 6, 9, 3, Dropouts(0.1, 0.2, 0.3, 0.4, 0.5))


# the command


def test_it_ends_with_a_table_a_text_and_a_folder_named_in_the_last_line(tmp_path, text, capsys):
    assert run(*QUICK, "--text", text, "--runs", tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    printed = capsys.readouterr().out.strip().splitlines()
    assert printed[-1].endswith(str(folder))
    (header,) = [i for i, line in enumerate(printed) if line.startswith("trained with")]
    for column in ("validation perplexity", "lowest", "training perplexity", "step change"):
        assert column in printed[header]
    rows = printed[header + 2 : header + 7]
    assert [re.split(r"  +", row)[0] for row in rows] == VARIANTS
    assert any("AR and TAR together, all else equal" in line for line in printed)
    assert (folder / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert " [...] " in (folder / "sample.txt").read_text()
    assert list(figures(folder)) == VARIANTS
    assert json.loads((folder / "config.json").read_text())["window"] == 12
    assert json.loads((folder / "vocabulary.json").read_text())[0] == "<unk>"
    assert not list((folder / "checkpoints").iterdir())


def test_figures_are_those_of_the_networks_it_kept(tmp_path, text):
    assert run(*QUICK, "--text", text, "--runs", tmp_path / "runs", "--seed", 3) == 0
    folder = only_folder(tmp_path / "runs")
    corpus = read_corpus(Config(text=text))
    network = LanguageModel(len(corpus.vocabulary), 8, 10, 2, NO_DROPOUTS).eval()
    load_model(network, str(folder / "networks" / "dropouts-ar-3.safetensors"))
    for tokens, shown in (
        (
            corpus.validation.tokens,
            figures(folder)["dropouts + AR"]["3"]["epochs"][-1]["perplexity"],
        ),
        (
            corpus.training.tokens[:300],
            figures(folder)["dropouts + AR"]["3"]["training_perplexity"],
        ),
    ):
        # one stream from end to end instead of ten: their beginnings differ a little
        tokens = torch.from_numpy(tokens)
        with torch.no_grad():
            scores, _ = network(tokens[:-1, None])
        loss = cross_entropy(scores[:, 0], tokens[1:])
        assert shown == pytest.approx(math.exp(loss), rel=0.05)


def test_it_learns_and_the_penalties_make_states_smaller_and_calmer(tmp_path, text):
    more = ["--epochs", "6", "--dropout", "0.1", "--tar", "5", "--learning-rate", "0.03"]
    assert run(*QUICK, *more, "--text", text, "--runs", tmp_path / "runs") == 0
    last = {
        name: of["0"]["epochs"][-1] for name, of in figures(only_folder(tmp_path / "runs")).items()
    }
    # by their frequency alone the words of this text have a perplexity of 10.3
    assert last["none"]["perplexity"] < 7
    assert last["dropouts + AR"]["norm"] < 0.9 * last["dropouts"]["norm"]
    assert last["dropouts + TAR"]["change"] < 0.9 * last["dropouts"]["change"]


def test_characters_measured_on_two_more_files(tmp_path, text, capsys):
    (tmp_path / "validation.txt").write_text("the cat sees one fish .\n" * 9, encoding="utf-8")
    (tmp_path / "test.txt").write_text("a dog wants the zebra .\n" * 9, encoding="utf-8")
    files = ["--validation", tmp_path / "validation.txt", "--test", tmp_path / "test.txt"]
    more = ["--level", "char", "--window", "40", "--text", text, "--runs", tmp_path / "runs"]
    assert run(*QUICK, *more, *files) == 0
    printed = capsys.readouterr().out
    assert re.search(
        r"characters for training \(0.00% <unk>\), 216 characters for validation", printed
    )
    # the z and the b of zebra: 18 of 216
    assert "216 characters for test (8.33% <unk>)" in printed
    assert "* Up to 8.3 % of a text is <unk>" in printed
    (header,) = [line for line in printed.splitlines() if line.startswith("trained with")]
    assert re.search(r"validation perplexity\*  bits per byte .* test perplexity\*", header)
    folder = only_folder(tmp_path / "runs")
    learned = figures(folder)["all"]["0"]
    assert learned["test"]["bits_per_byte"] is None
    assert learned["test"]["perplexity"] > 1
    last = learned["epochs"][-1]
    # a character of this text is a byte
    assert last["bits_per_byte"] == pytest.approx(math.log2(last["perplexity"]), rel=1e-6)
    (tmp_path / "test.txt").write_text("other\n", encoding="utf-8")
    assert run("language-model", "--resume", folder) == 2
    assert "is not the data this run began with" in capsys.readouterr().err


def test_pieces(tmp_path, text, capsys):
    more = ["--level", "bpe", "--pieces", "280", "--text", text, "--runs", tmp_path / "runs"]
    assert run(*QUICK, *more) == 0
    printed = capsys.readouterr().out
    assert re.search(r"\d+ pieces for training, \d+ pieces for validation, 280 in the voc", printed)
    assert "Bits per byte compare" in printed
    assert "<unk>" not in printed
    folder = only_folder(tmp_path / "runs")
    kept = (folder / "vocabulary.json").read_text(encoding="utf-8")
    corpus = read_corpus(Config(text=text, level="bpe", pieces=280))
    last = figures(folder)["all"]["0"]["epochs"][-1]
    # the library's own tokenizer, and the bytes of the text after the first piece
    tokenizer = Tokenizer.from_str(kept)
    whole = text.read_text(encoding="utf-8")
    validation = tokenizer.decode(corpus.validation.tokens.tolist())
    assert whole.endswith("\n" + validation)
    pieces = tokenizer.encode(validation).ids
    size = len(validation.encode()) - len(tokenizer.decode(pieces[:1]).encode())
    bits = math.log2(last["perplexity"]) * (len(pieces) - 1) / size
    assert last["bits_per_byte"] == pytest.approx(bits, rel=1e-6)


def test_the_same_seed_gives_the_same_figures_whatever_the_processes(tmp_path, text):
    short = [*QUICK, "--text", text]
    assert run(*short, "--runs", tmp_path / "a") == 0
    assert run(*short, "--jobs", 2, "--runs", tmp_path / "b") == 0
    assert run(*short, "--seed", 1, "--runs", tmp_path / "c") == 0
    a, b, c = (figures(only_folder(tmp_path / name)) for name in "abc")
    assert a == b
    assert [of["0"] for of in a.values()] != [of["1"] for of in c.values()]


def test_an_interrupted_run_goes_on_and_ends_with_the_same_figures(tmp_path, text):
    long = [*QUICK, "--epochs", "10", "--text", str(text)]
    folder = interrupted(long, tmp_path / "cut", after_line("dropouts, seed 0: epoch 4"))
    assert list(figures(folder)) == ["none"]
    assert (folder / "checkpoints" / "dropouts-0.ckpt").is_file()
    assert run("language-model", "--resume", folder) == 0
    assert run(*long, "--runs", tmp_path / "whole") == 0
    assert figures(folder) == figures(only_folder(tmp_path / "whole"))
    assert (folder / "sample.txt").is_file()


def test_processes_end_with_the_run_they_belong_to(tmp_path, text):
    endless = [*QUICK, "--jobs", "2", "--epochs", "50", "--text", str(text)]
    folder = interrupted(endless, tmp_path / "cut", after_line("dropouts, seed 0: epoch 10"))
    checkpoint = folder / "checkpoints" / "dropouts-0.ckpt"
    before = checkpoint.stat().st_mtime_ns
    time.sleep(1)
    assert checkpoint.stat().st_mtime_ns == before


def test_a_finished_run_resumed_trains_nothing_again(tmp_path, text, capsys):
    short = [*QUICK, "--text", text]
    assert run(*short, "--runs", tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    before, sample = figures(folder), (folder / "sample.txt").read_text()
    capsys.readouterr()
    assert run("language-model", "--resume", folder) == 0
    assert "epoch 1 of" not in capsys.readouterr().out
    assert figures(folder) == before
    assert (folder / "sample.txt").read_text() == sample


REFUSED = {
    "missing": (None, [], r"text\.txt: expected a text file, found nothing"),
    "latin": (b"caf\xe9", [], r"UTF-8, got the byte 0xe9 at position 3, line 1; .*iconv"),
    "too short": (b"a b " * 99, [], "at least 701 words .* one window of 35 in each .* got 178;"),
    "pieces": (b"a b", ["--pieces", "256", "--level", "bpe"], "pieces: expected 257 or more"),
    "no pieces": (b"a b", ["--pieces", "300"], "pieces: expected no value with --level word, got"),
    "count": (b"a b", ["--min-count", "2", "--level", "bpe"], "min-count: .* --level bpe, got 2"),
    "no file": (b"a b " * 99, ["--validation", "o.txt"], "o.txt: expected a text file, found n"),
    "no test": (b"a b " * 99, ["--test", "o.txt"], "o.txt: expected a text file, found nothing"),
    "window": (b"a b " * 99, ["--window", "9"], "window: expected at most 8 words, .* got 9;"),
    "short window": (b"a b", ["--window", "4"], r"window: expected 5 or more, got 4"),
    "strength": (b"a b", ["--ar", "-1"], r"ar: expected a finite number"),
    "epochs": (b"a b", ["--epochs", "0"], r"epochs: expected 1 or more, got 0"),
    "jobs": (b"a b", ["--jobs", "0"], r"jobs: expected 1 or more, got 0"),
    "dropout": (b"a b", ["--dropout", "9"], r"dropout: expected a factor .* got 9"),
    "clip": (b"a b", ["--clip", "nan"], r"clip: expected positive and finite, got nan"),
    "validation": (
        b"a b",
        ["--validation", "1"],
        r"validation: expected a fraction between 0 and 1",
    ),
    "rate": (b"a b", ["--learning-rate", "-1"], r"learning-rate: expected positive and finite"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_message_without_a_traceback_and_status_2(
    case, tmp_path, capsys, monkeypatch
):
    content, arguments, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "text.txt").write_bytes(content)
    assert_refused(["language-model", "--text", "text.txt", *arguments], message, capsys)


def test_resuming_with_another_text_or_other_settings_is_refused(tmp_path, text, capsys):
    assert run(*QUICK, "--text", text, "--runs", tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    assert run("language-model", "--resume", folder, "--window", 20) == 2
    assert "resume: expected no other setting" in capsys.readouterr().err
    text.write_text(text.read_text().replace("cat", "cow"))
    assert run("language-model", "--resume", folder) == 2
    assert "text.txt is not the data this run began with" in capsys.readouterr().err


def test_the_published_size():
    shape = Config(size="published").shape
    assert (shape.embedding, shape.hidden, shape.layers) == (400, 1150, 3)
    assert (shape.batch_size, shape.window) == (80, 70)
    assert (Config().ar, Config().tar, Config().clip) == (2, 1, 0.25)
    assert Config(layers=4).shape.layers == 4


# the text


def test_words_and_marks_are_tokens_and_lines_end():
    assert tokens_of("U.S. ships @-@ <unk> , it's (so):\n\n", "word") == [
        *["U.S", ".", "ships", "@-@", "<unk>", ",", "it", "'s", "(", "so", "):", "<eos>", "<eos>"]
    ]
    assert tokens_of("a\n", "char") == ["a", "\n"]


def test_the_vocabulary_is_of_the_training_part_and_rare_words_are_unknown(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("a a a a b b c\nnew new a\n", encoding="utf-8")
    corpus = read_corpus(Config(text=path, min_count=2, validation=0.4))
    assert corpus.vocabulary.to_json() == ["<unk>", "a", "b"]
    assert corpus.training.tokens.tolist() == [1, 1, 1, 1, 2, 2, 0, 0]
    assert corpus.validation.tokens.tolist() == [0, 0, 1, 0]
    assert (corpus.training.unknown, corpus.validation.unknown) == (0.25, 0.75)
    assert corpus.validation.size is None
    assert corpus.vocabulary.decode([1, 0, 2]) == "a <unk> b"
    assert corpus.vocabulary.strange("b, a d\nd") == [",", "d", "<eos>"]
    assert corpus.notes == (
        "Warning: 75% of the words for validation are <unk>, which is easily predicted: "
        "perplexity is low for that reason. Take --level char or --level bpe, or a longer text.",
    )


def test_python_s_own_documentation_is_the_default():
    corpus = read_corpus(Config())
    assert len(corpus.training.tokens) > 50_000
    assert "function" in corpus.vocabulary.to_json()
    assert corpus.notes == ()


def test_streams_are_contiguous_and_every_token_follows_one_once():
    inputs, targets = streams_of(torch.arange(24), 4)
    assert inputs.T.tolist() == [[5 * i + j for j in range(5)] for i in range(4)]
    assert torch.equal(targets, inputs + 1)


@pytest.mark.parametrize("steps", [5, 12, 13, 34, 36, 1000])
def test_windows_cover_every_step_exactly_once(steps):
    inputs, targets = streams_of(torch.arange(3 * steps + 1), 3)
    for seed in range(5):
        windows = list(Windows(inputs, targets, windows_of(len(inputs), 35, seed)))
        assert torch.equal(torch.cat([x for x, _ in windows]), inputs)
        assert torch.equal(torch.cat([y for _, y in windows]), targets)
        assert min(len(x) for x, _ in windows) >= min(5, steps)


def test_windows_have_the_published_lengths():
    bounds = windows_of(400_000, 70, 0)
    lengths = np.array([end - start for start, end in bounds])
    usual = lengths[lengths > 52]
    assert len(usual) / len(lengths) == pytest.approx(0.95, abs=0.01)
    assert usual.mean() == pytest.approx(70, abs=0.7)
    assert usual.std() == pytest.approx(5, abs=0.3)
    assert bounds != windows_of(400_000, 70, 1)


# the network and what is measured of it


def test_the_embedding_is_tied_and_layers_have_their_units(network):
    assert network.decoder.weight is network.embedding.embedding.weight
    scores, state = network(torch.zeros(4, 2, dtype=torch.long))
    assert scores.shape == (4, 2, 17)
    assert [hidden.shape for hidden, _ in state] == [(1, 2, 9), (1, 2, 9), (1, 2, 6)]


def test_a_carried_state_equals_one_long_window(network):
    network.eval()
    tokens = torch.randint(17, (30, 2))
    whole, _ = network(tokens)
    parts, state = [], None
    for some in tokens.split([7, 1, 22]):
        scores, state = network(some, state)
        state = detached(state)
        parts.append(scores)
    torch.testing.assert_close(torch.cat(parts), whole)


def test_dropouts_act_in_training_only(network):
    tokens = torch.randint(17, (5, 2))
    assert not torch.equal(network(tokens)[0], network(tokens)[0])
    network.eval()
    assert torch.equal(network(tokens)[0], network(tokens)[0])


def test_perplexity_of_a_uniform_model_is_the_size_of_the_vocabulary(network):
    with torch.no_grad():
        network.decoder.weight.zero_()
    assert measure(network, torch.randint(17, (345,))).perplexity == pytest.approx(17, rel=1e-5)


@pytest.mark.parametrize("streams", [1, 4])
def test_reading_by_hand(network, streams):
    """Every token but the first counts once, across chunks and in what is left of the streams."""
    tokens = torch.randint(17, (483,))
    metrics = measure(network, tokens, streams)
    assert network.training
    network.eval()
    steps = 482 // streams
    losses, norms, changes = [], [], []
    with torch.no_grad():
        for i in range(streams):
            end = 482 if i == streams - 1 else (i + 1) * steps
            states, _ = network.read(tokens[i * steps : end, None])
            scores = network.predict(states)[:, 0]
            targets = tokens[i * steps + 1 : end + 1]
            losses += cross_entropy(scores, targets, reduction="none").tolist()
            norms += states[:, 0].norm(dim=1).square().tolist()
            changes += (states[1:] - states[:-1])[:, 0].norm(dim=1).square().tolist()
    assert len(losses) == 482
    assert metrics.perplexity == pytest.approx(math.exp(np.mean(losses)), rel=1e-5)
    assert metrics.norm == pytest.approx(np.sqrt(np.mean(norms)), rel=1e-5)
    assert metrics.change == pytest.approx(np.sqrt(np.mean(changes)), rel=1e-5)


def test_penalties_are_the_published_ones(network):
    variant = variants_of(Config(ar=2.0, tar=3.0))[-1]
    reg = rz.Regularization(network, variant.rules(network))
    seen = {}
    network.output_dropout.register_forward_hook(lambda _m, i, o: seen.update(raw=i[0], drop=o))
    network(torch.randint(17, (8, 2)))
    expected = 2 * seen["drop"].square().mean() + 3 * seen["raw"].diff(dim=0).square().mean()
    torch.testing.assert_close(reg.penalty(), expected)
    assert not torch.equal(seen["raw"], seen["drop"])


def test_short_windows_move_the_weights_less_and_gradients_are_clipped(tmp_path):
    config = Config(embedding=4, hidden=4, batch_size=2, window=12, epochs=2, clip=0.01)
    tokens = torch.randint(9, (400,), generator=torch.Generator().manual_seed(0))
    rates, norms = [], []

    def note(optimizer, *_):
        rates.append(optimizer.param_groups[0]["lr"])
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(torch.nn.utils.get_total_norm(gradients).item())

    handle = register_optimizer_step_post_hook(note)
    network = LanguageModel(9, 4, 4, 2, NO_DROPOUTS)
    parts = [Part(some.numpy(), 0.0, None) for some in (tokens, tokens[:50])]
    corpus = Corpus("made up", Symbols(tuple("abcdefghi"), "char"), *parts, None, "digest", ())
    learned = train(network, variants_of(config)[-1], corpus, config, 5, tmp_path / "a.ckpt")
    handle.remove()
    bounds = [windows_of(199, 12, 5 * 100_003 + epoch) for epoch in range(2)]
    lengths = [end - start for epoch in bounds for start, end in epoch]
    optimizer = torch.optim.SGD([torch.zeros(1)], 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.shape.learning_rate, total_steps=len(lengths), pct_start=0.15
    )
    expected = []
    for length in lengths:
        expected.append(optimizer.param_groups[0]["lr"] * length / 12)
        optimizer.step()
        schedule.step()
    assert rates == pytest.approx(expected)
    assert max(norms) == pytest.approx(0.01, rel=1e-3)
    assert len(learned.epochs) == 2


def test_a_generated_text_repeats_and_avoids_what_it_must(network):
    prompt = torch.tensor([1, 2])
    drawn = sample(network.eval(), prompt, 60, 1.0, seed=0, never=0)
    assert drawn == sample(network, prompt, 60, 1.0, seed=0, never=0)
    assert drawn != sample(network, prompt, 60, 1.0, seed=1, never=0)
    assert len(drawn) == 60
    assert 0 not in drawn


def test_a_process_that_the_system_ends_is_said_so():
    with pytest.raises(ConfigurationError, match=r"jobs: .* ended one, .* --resume"):
        list(run_tasks(os._exit, [1, 2], jobs=2))
