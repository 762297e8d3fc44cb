"""The command line: `regularizers RECIPE`, or `python -m regularizers RECIPE`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from regularizers.errors import RegularizersError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a recipe from the command line; return the exit status.

    It is 0 when the recipe ended, 2 when it was told something it cannot do, with one message and
    no traceback, and 130 when the user stopped it.
    """
    try:
        import tyro

        from regularizers.recipes import sparse_autoencoder
    except ModuleNotFoundError as error:
        return _refuse(
            f"the recipes need {error.name}, which is not installed: "
            f"pip install 'regularizers[recipes]'"
        )
    try:
        config = tyro.extras.subcommand_cli_from_dict(
            {"sparse-autoencoder": sparse_autoencoder.Config},
            prog="regularizers",
            description="Regularization for neural networks, put to work on real data.",
            args=arguments,
        )
        sparse_autoencoder.run(config)
    except RegularizersError as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _refuse(message: str) -> int:
    sys.stderr.write(f"regularizers: {message}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
