"""The command that continues a text by a trained network."""

from __future__ import annotations

import sys

from regularizers._text import visible_lines
from regularizers.recipes._loaded import load_of
from regularizers.recipes.language_model._sample_config import Sample
from regularizers.recipes.language_model.saved import continuation, strange_in


def run(config: Sample) -> None:
    """Print a prompt and what a network draws as its continuation.

    What the network does not know of the prompt is named in a line of its own, beside the text: on
    the stream for errors.
    """
    config.check()
    loaded = load_of(("language-model",), config.folder, config.network)
    prompt = config.prompt.replace("\r\n", "\n").replace("\r", "\n")
    drawn = continuation(
        loaded,
        prompt,
        length=config.length,
        temperature=config.temperature,
        seed=config.seed,
    )
    if strange := strange_in(loaded, prompt):
        print(
            f"Not in the vocabulary, and read as <unk>: {', '.join(map(repr, strange))}",
            file=sys.stderr,
        )
    apart = loaded.metadata["level"] == "word" and not prompt.endswith("\n")
    between = " " if apart and not drawn.startswith("\n") else ""
    text = f"{prompt}{between}{drawn}".strip("\n")
    # pieces are bytes, which may spell what changes the state of a terminal
    print(visible_lines(text) if sys.stdout.isatty() else text)
