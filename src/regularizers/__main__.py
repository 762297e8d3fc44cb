"""The command line: `regularizers RECIPE`, or `python -m regularizers RECIPE`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from regularizers._text import visible
from regularizers.errors import RegularizersError

_TWO_WORDS = (
    "sparse-autoencoder superposition",
    "sparse-autoencoder encode",
    "classifier predict",
    "language-model sample",
)
"""Commands whose name is two words: the first is a recipe by itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a recipe from the command line; return the exit status.

    It is 0 when the recipe ended, 2 when it was told something it cannot do, with one message and
    no traceback, and 130 when the user stopped it.
    """
    try:
        import tyro

        from regularizers.recipes import (
            classifier,
            language_model,
            sparse_autoencoder,
            superposition,
        )
    except ModuleNotFoundError as error:
        return _refuse(
            f"the recipes need {error.name}, which is not installed: "
            f"pip install 'regularizers[recipes]'"
        )
    recipes: dict[str, tuple[type, Callable[[Any], None]]] = {
        "sparse-autoencoder": (sparse_autoencoder.Config, sparse_autoencoder.run),
        "sparse-autoencoder superposition": (superposition.Config, superposition.run),
        "sparse-autoencoder encode": (sparse_autoencoder.Encode, sparse_autoencoder.encode),
        "classifier": (classifier.Config, classifier.run),
        "classifier predict": (classifier.Predict, classifier.predict),
        "language-model": (language_model.Config, language_model.run),
        "language-model sample": (language_model.Sample, language_model.sample),
    }
    try:
        config = tyro.extras.subcommand_cli_from_dict(
            {name: settings for name, (settings, _) in recipes.items()},
            prog="regularizers",
            description="Regularization for neural networks, put to work on real data.",
            args=_joined(sys.argv[1:] if arguments is None else arguments),
        )
        next(run for settings, run in recipes.values() if isinstance(config, settings))(config)
    except RegularizersError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(_in_words(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _joined(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with a name of two words as one."""
    name = " ".join(arguments[:2])
    return [name, *arguments[2:]] if name in _TWO_WORDS else [*arguments]


def _in_words(error: OSError) -> str:
    """Return what the system refused, and let nothing more be printed where it cannot be."""
    try:
        if isinstance(error, BrokenPipeError):
            raise error
        sys.stdout.flush()
    except OSError:
        # the interpreter would try again at its end, and say so
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return f"the output cannot be printed ({error.strerror}); send it elsewhere"
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{error.strerror or error}; mend it, and run again or go on with --resume"


def _refuse(message: str) -> int:
    sys.stderr.write(f"regularizers: {visible(' '.join(message.splitlines()))}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
