"""The settings of a text that a trained network continues."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from regularizers.errors import DataError
from regularizers.recipes._settings import check, check_counts


@dataclass(frozen=True)
class Sample:
    """Continue a text by a network of a finished run, from the folder of the run alone."""

    folder: Annotated[Path, Positional]
    """Folder of a run of `regularizers language-model`."""

    prompt: str = "\n"
    """The text to continue. By default the beginning of a line."""

    length: int = 80
    """Tokens to draw: words, characters or pieces, as the network was trained."""

    temperature: float = 0.8
    """Temperature: below 1 it favours likely tokens."""

    seed: int = 0
    """Seed of what is drawn."""

    network: str | None = None
    """Which network, as its file in `networks` is called; by default the one trained with all."""

    def check(self) -> None:
        """Raise a `RegularizersError` unless every setting is valid."""
        check_counts(length=self.length)
        temperature = self.temperature
        positive = math.isfinite(temperature) and temperature > 0
        check("temperature", positive, "positive and finite", temperature)
        check("seed", self.seed >= 0, "0 or more", self.seed)
        try:
            self.prompt.encode()
        except UnicodeEncodeError as error:
            raise DataError(
                f"prompt: expected text, got the lone surrogate "
                f"{self.prompt[error.start]!a} at position {error.start}; the terminal passed "
                f"bytes that are not UTF-8"
            ) from None
