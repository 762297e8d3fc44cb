"""The command line: `regularizers RECIPE`, or `python -m regularizers RECIPE`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from regularizers._text import visible
from regularizers.errors import RegularizersError

_NAMES = (
    "sparse-autoencoder",
    "sparse-autoencoder superposition",
    "sparse-autoencoder encode",
    "classifier",
    "classifier predict",
    "language-model",
    "language-model sample",
)
"""The commands. Of a name of two words, the first is a recipe by itself."""

_DESCRIPTION = "Regularization for neural networks, put to work on real data."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a recipe from the command line; return the exit status.

    It is 0 when the recipe ended, 2 when it was told something it cannot do, with one message and
    no traceback, and 130 when the user stopped it.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        import tyro

        from regularizers.recipes import (
            classifier,
            language_model,
            sparse_autoencoder,
            superposition,
        )
    except ModuleNotFoundError as error:
        if {"-h", "--help"} & {*arguments}:
            sys.stdout.write(_help_without(error.name))
            return 0
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
            description=_DESCRIPTION,
            args=_joined(arguments),
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
    return [name, *arguments[2:]] if " " in name and name in _NAMES else [*arguments]


def _help_without(package: str | None) -> str:
    """Return the help where the packages of the recipes are not installed."""
    names = "".join(f"    regularizers {name}\n" for name in _NAMES)
    return (
        f"usage: regularizers RECIPE [OPTIONS]\n\n{_DESCRIPTION}\n\n"
        f"The recipes need more packages; {package} is not installed. Install them first:\n\n"
        f"    pip install 'regularizers[recipes]'\n\n"
        f"Then each of these runs, and lists its options with --help:\n\n{names}"
    )


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
