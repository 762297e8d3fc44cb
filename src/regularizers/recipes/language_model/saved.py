"""The networks of a run: written with all that is needed to use them, and read again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch

from regularizers.errors import DataError, RunFolderError
from regularizers.recipes._loaded import Loaded
from regularizers.recipes._network_file import found_network, read_network, write_network
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes.language_model._levels import vocabulary_of
from regularizers.recipes.language_model._network import LanguageModel
from regularizers.recipes.language_model._sampling import sample
from regularizers.recipes.language_model._sizes import Dropouts
from regularizers.recipes.language_model._variants import ALL
from regularizers.recipes.language_model._vocabulary import Vocabulary

_TIED = "decoder.weight"
"""The same tensor as the embedding's; a file of safetensors holds each tensor once."""


def save(
    path: Path, network: LanguageModel, dropouts: Dropouts, vocabulary: Vocabulary, **known: Any
) -> None:
    """Write a network, its vocabulary, and the arguments that build it, whole or not at all.

    Args:
        path: the file.
        network: a network of the recipe.
        dropouts: the rates that it was built with.
        vocabulary: of the text that it learned.
        known: more that is to be read with it, as plain values.
    """
    tensors = network.state_dict()
    del tensors[_TIED]
    metadata = {
        "recipe": "language-model",
        **known,
        "arguments": {**network.shape, "dropouts": dataclasses.asdict(dropouts)},
        "level": vocabulary.level,
        "vocabulary": vocabulary.to_json(),
    }
    write_network(path, tensors, metadata)


def load(run: RunFolder, network: str | None = None) -> Loaded:
    """Return a network of a run, in evaluation mode.

    Args:
        run: the folder.
        network: the name of its file without the suffix, `dropouts-ar-0`; by default the network
            that was trained with all, from the first seed.

    Returns:
        The network, and its `level`, its `vocabulary` as `vocabulary_of` reads it, and the
        arguments that build it as `arguments`.

    Raises:
        RunFolderError: there is no such network, or its file is damaged.
    """
    name = network or f"{ALL}-{run.config().get('seed', 0)}"
    path = found_network(run.path, name)
    tensors, metadata = read_network(path, "arguments")
    try:
        arguments = metadata["arguments"]
        dropouts = Dropouts(**arguments["dropouts"])
        module = LanguageModel(**{**arguments, "dropouts": dropouts})
        tensors[_TIED] = tensors["embedding.embedding.weight"]
        module.load_state_dict(tensors)
    except (KeyError, TypeError, RuntimeError) as error:
        raise RunFolderError(
            f"{path}: expected the weights of a language model and what builds it, got others "
            f"({str(error).splitlines()[0]}); copy the file again, or train the network again"
        ) from None
    return Loaded(module.eval(), metadata)


def continuation(
    loaded: Loaded, prompt: str, *, length: int = 80, temperature: float = 0.8, seed: int = 0
) -> str:
    """Return a text that a network draws as the continuation of another.

    Args:
        loaded: a network of a run.
        prompt: the text to continue.
        length: the number of tokens to draw.
        temperature: divides the scores; below 1 it favours likely tokens.
        seed: the seed of what is drawn.

    Raises:
        DataError: nothing in the prompt is in the vocabulary.
        ConfigurationError: the network's scores are not finite.
    """
    vocabulary = vocabulary_of(loaded.metadata["level"], loaded.metadata["vocabulary"])
    tokens = vocabulary.encode(prompt)
    if (tokens == vocabulary.unknown).all():
        raise DataError(
            f"prompt: expected text of the network's vocabulary, got "
            f"{', '.join(map(repr, vocabulary.strange(prompt))) or repr(prompt)}"
        )
    assert isinstance(loaded.module, LanguageModel)
    drawn = sample(
        loaded.module, torch.from_numpy(tokens), length, temperature, seed, vocabulary.unknown
    )
    return vocabulary.decode(drawn)


def strange_in(loaded: Loaded, prompt: str) -> list[str]:
    """Return what in a text the network does not know and reads as `<unk>`, each once."""
    vocabulary = vocabulary_of(loaded.metadata["level"], loaded.metadata["vocabulary"])
    return vocabulary.strange(prompt)
