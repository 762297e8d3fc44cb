"""Trained language models, used from their run folder: the same to the bit, or one clear line."""

import json
import subprocess
import sys

import pytest
import torch

import regularizers as rz
from recipes.commands import only_folder, run
from regularizers.errors import DataError, RunFolderError

# networks are made up, so that a folder is there without a training
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes.language_model._levels import learn
from regularizers.recipes.language_model._network import LanguageModel
from regularizers.recipes.language_model._sampling import sample
from regularizers.recipes.language_model._sizes import Dropouts
from regularizers.recipes.language_model.saved import continuation, load, save

TEXT = "the cat sees a dog , हिन्दी and a dog sees the cat again .\n" * 9
DROPOUTS = Dropouts(0.1, 0.2, 0.3, 0.4, 0.5)


def made_up(folder, level):
    """A run folder with one network; and the network and its vocabulary."""
    vocabulary = learn(TEXT, level, None, 280 if level == "bpe" else None)
    torch.manual_seed(0)
    network = LanguageModel(len(vocabulary), 6, 9, 3, DROPOUTS).eval()
    (folder / "networks").mkdir(parents=True)
    config = {"recipe": "language-model", "level": level, "seed": 4}
    (folder / "config.json").write_text(json.dumps(config))
    path = folder / "networks" / "all-4.safetensors"
    save(path, network, DROPOUTS, vocabulary, seed=4)
    return network, vocabulary


@pytest.mark.parametrize("level", ["word", "char", "bpe"])
def test_a_network_is_the_same_to_the_bit_after_it_was_kept(level, tmp_path):
    network, vocabulary = made_up(tmp_path / "run", level)
    loaded = rz.recipes.load(tmp_path / "run")
    assert not loaded.module.training
    kept = loaded.module.state_dict()
    assert kept.keys() == network.state_dict().keys()
    assert all(torch.equal(kept[name], value) for name, value in network.state_dict().items())
    assert loaded.module.decoder.weight is loaded.module.embedding.embedding.weight
    tokens = torch.from_numpy(vocabulary.encode(TEXT))[:, None]
    assert torch.equal(loaded.module(tokens)[0], network(tokens)[0])
    assert loaded.metadata["level"] == level
    assert loaded.metadata["vocabulary"] == vocabulary.to_json()
    assert loaded.metadata["arguments"]["dropouts"]["weight"] == 0.5
    # dropouts are part of what is built
    torch.manual_seed(1)
    a = loaded.module.train()(tokens)[0]
    torch.manual_seed(1)
    assert torch.equal(a, network.train()(tokens)[0])


def test_a_new_process_needs_the_folder_alone(tmp_path):
    network, vocabulary = made_up(tmp_path / "run", "bpe")
    prompt = "हिन्दी cat, unseen 猫"
    tokens = torch.from_numpy(vocabulary.encode(prompt))
    expected = vocabulary.decode(sample(network, tokens, 30, 0.5, 7, None))
    code = (
        "import sys, torch, regularizers as rz\n"
        "loaded = rz.recipes.load(sys.argv[1])\n"
        "tokens = torch.tensor(eval(sys.argv[2]))[:, None]\n"
        "torch.save(loaded.module(tokens)[0], sys.argv[3])\n"
        "from regularizers.__main__ import main\n"
        "sys.exit(main(['language-model', 'sample', sys.argv[1], '--prompt', sys.argv[4],\n"
        "    '--length', '30', '--temperature', '0.5', '--seed', '7']))\n"
    )
    moved = (tmp_path / "run").rename(tmp_path / "elsewhere")
    result = subprocess.run(
        [sys.executable, "-c", code, str(moved), str(tokens.tolist()), "scores.pt", prompt],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        encoding="utf-8",
    )
    scores = torch.load(tmp_path / "scores.pt", weights_only=True)
    assert torch.equal(scores, network(tokens[:, None])[0])
    assert result.stdout == f"{prompt}{expected}".strip("\n") + "\n"


def test_what_is_not_known_of_a_prompt_is_named(tmp_path, capsys):
    network, vocabulary = made_up(tmp_path / "run", "word")
    command = ["language-model", "sample", tmp_path / "run", "--length", 5]
    assert run(*command, "--prompt", "the zebra sees\r\na yak and a yak") == 0
    out, err = capsys.readouterr()
    assert err == "Not in the vocabulary, and read as <unk>: 'zebra', 'yak'\n"
    tokens = torch.from_numpy(vocabulary.encode("the zebra sees\na yak and a yak"))
    drawn = vocabulary.decode(sample(network, tokens, 5, 0.8, 0, 0))
    between = "" if drawn.startswith("\n") else " "
    assert out == f"the zebra sees\na yak and a yak{between}{drawn}".strip("\n") + "\n"
    assert run(*command, "--prompt", "zebra yak") == 2
    assert "prompt: expected text of the network's vocabulary, got 'zebra', 'yak'" in (
        capsys.readouterr().err
    )
    assert run(*command) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--prompt", ""], "prompt: expected text of the network's vocabulary, got ''"),
        (
            ["--prompt", "a \udcff"],
            r"prompt: expected text, got the lone surrogate '\udcff' at position 2",
        ),
        (["--network", "none-0"], "expected a network that it holds, all-4, got 'none-0'; choose"),
        (
            ["--network", "../config"],
            "expected a network that it holds, all-4, got '../config'; choose",
        ),
        (["--length", "0"], "length: expected 1 or more, got 0"),
        (["--temperature", "0"], "temperature: expected positive and finite, got 0.0"),
        (["--seed", "-1"], "seed: expected 0 or more, got -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line(arguments, message, tmp_path, capsys):
    made_up(tmp_path / "run", "char")
    assert run("language-model", "sample", tmp_path / "run", *arguments) == 2
    err = capsys.readouterr().err
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_folder_without_networks_or_of_another_recipe_says_so(tmp_path, capsys):
    made_up(tmp_path / "run", "char")
    path = tmp_path / "run" / "networks" / "all-4.safetensors"
    content = path.read_bytes()
    run_folder = RunFolder(tmp_path / "run")
    for damaged, message in (
        (content[:-100], "damaged"),
        (b"", "damaged"),
        (content.replace(b"recurrent.0", b"recurring.0"), "expected the weights of a language"),
        (content.replace(b'\\"hidden\\": 9', b'\\"hidden\\": 8'), "expected the weights of a la"),
    ):
        assert damaged != content
        path.write_bytes(damaged)
        with pytest.raises(RunFolderError, match=message) as refused:
            load(run_folder)
        assert "\n" not in str(refused.value)
    path.unlink()
    with pytest.raises(RunFolderError, match=r"expected a network .* none yet, got .*--resume"):
        load(run_folder)
    (tmp_path / "run" / "config.json").write_text('{"recipe": "classifier"}')
    assert run("language-model", "sample", tmp_path / "run") == 2
    assert "the folder of a run of language-model, got 'classifier'" in capsys.readouterr().err
    assert run("language-model", "sample", tmp_path) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_low_temperature_draws_the_likeliest_and_a_diverged_network_says_so(tmp_path):
    network, vocabulary = made_up(tmp_path / "run", "char")
    loaded = rz.recipes.load(tmp_path / "run")
    scores, _ = network(torch.from_numpy(vocabulary.encode("the"))[:, None])
    best = vocabulary.decode([int(scores[-1, 0, 1:].argmax()) + 1])
    assert continuation(loaded, "the", length=1, temperature=1e-300) == best
    assert len(continuation(loaded, "the", length=200, temperature=1e-40)) == 200
    with pytest.raises(DataError, match="prompt: expected"):
        continuation(loaded, "")
    with torch.no_grad():
        loaded.module.decoder.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match=r"training diverged; .*--learning-rate"):
        continuation(loaded, "the")


def test_a_run_leaves_networks_that_go_on_with_any_text(tmp_path, capsys):
    (tmp_path / "text.txt").write_text(TEXT * 20, encoding="utf-8")
    small = ["--embedding", 8, "--hidden", 8, "--batch-size", 4, "--window", 12, "--epochs", 1]
    more = ["--seeds", 1, "--jobs", 1, "--runs", tmp_path / "runs", "--seed", 3]
    assert run("language-model", *small, *more, "--text", tmp_path / "text.txt") == 0
    folder = only_folder(tmp_path / "runs")
    texts = []
    for network in ([], ["--network", "all-3"], ["--network", "none-3"]):
        capsys.readouterr()
        assert run("language-model", "sample", folder, "--prompt", "the cat", *network) == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2]
    assert all(text.startswith("the cat") for text in texts)
    loaded = rz.recipes.load(folder, "dropouts-tar-3")
    assert loaded.metadata["variant"] == "dropouts + TAR"
    assert loaded.metadata["data"] == "text.txt"


def test_what_acts_in_a_terminal_is_printed_there_as_an_escape(tmp_path, capsys, monkeypatch):
    made_up(tmp_path / "run", "bpe")
    command = ["language-model", "sample", tmp_path / "run", "--length", 3]
    command += ["--prompt", "the \x1b[31mcat\tsees\na dog"]
    assert run(*command) == 0
    assert capsys.readouterr().out.startswith("the \x1b[31mcat\tsees\na dog")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(*command) == 0
    out = capsys.readouterr().out
    assert out.startswith("the \\x1b[31mcat\tsees\na dog")
    assert "\x1b" not in out
