"""The networks with and without what is searched: trained once, kept, and scored."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from regularizers.recipes._finished import METRICS, finished
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes.search._plan import Values

_FOUND, _WITHOUT = "found", "without"


class Outer:
    """Scores strengths by samples that no trial saw, and keeps the figures of the networks.

    Args:
        folder: the folder of the run.
        kind: the dataclass of the figures of a network.
        seeds: the seeds of the networks.
        from_scratch: the networks to train anew.
        train: trains and saves a network by its strengths, its seed and its name, and returns its
            figures.
        score: the score in the figures.
    """

    def __init__(
        self,
        folder: RunFolder,
        kind: type[Any],
        *,
        seeds: Iterable[int],
        from_scratch: tuple[str, ...],
        train: Callable[[Values, int, str], Any],
        score: Callable[[Any], float],
    ) -> None:
        self._folder, self._train, self._score = folder, train, score
        networks = {
            f"{name}-{seed}": (name, str(seed)) for name in (_WITHOUT, _FOUND) for seed in seeds
        }
        self._kept = finished(folder, kind, networks, from_scratch)

    def __call__(self, values: Values, seed: int) -> float:
        """Return the score of a network, which is trained unless the folder has it."""
        name = _FOUND if any(values.values()) else _WITHOUT
        of_name = self._kept.setdefault(name, {})
        if str(seed) not in of_name:
            of_name[str(seed)] = self._train(values, seed, f"{name}-{seed}")
            self._folder.write_json(METRICS, self._kept)
            self._folder.remove(f"checkpoints/{name}-{seed}.ckpt")
        return self._score(of_name[str(seed)])
