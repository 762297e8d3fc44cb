"""The variants that are compared: plain, with dropouts, and with penalties as well."""

from __future__ import annotations

from dataclasses import dataclass

import regularizers as rz
from regularizers.recipes.language_model._config import Config
from regularizers.recipes.language_model._network import LanguageModel
from regularizers.recipes.language_model._sizes import Dropouts


@dataclass(frozen=True)
class Variant:
    """One way to train the network; AR and TAR come with the dropouts, so that they compare."""

    name: str
    dropped: bool
    alpha: float = 0.0
    beta: float = 0.0

    @property
    def file_name(self) -> str:
        """The name as part of a file's."""
        return self.name.lower().replace(" + ", "-")

    def dropouts(self, config: Config) -> Dropouts:
        """Return the rates it trains with."""
        return config.shape.dropouts if self.dropped else config.no_dropouts

    def rules(self, network: LanguageModel) -> list[rz.Rule]:
        """Return its penalties: AR on the dropped output of the last layer, TAR on the raw one."""
        rules = []
        if self.alpha:
            rules.append(rz.ar(self.alpha, where=network.output_dropout))
        if self.beta:
            rules.append(rz.tar(self.beta, where=network.last_layer))
        return rules


PLAIN, DROPOUTS, ALL = "none", "dropouts", "all"


def variants_of(config: Config) -> list[Variant]:
    """Return the variants that a run compares, the plain network first."""
    return [
        Variant(PLAIN, dropped=False),
        Variant(DROPOUTS, dropped=True),
        Variant("dropouts + AR", dropped=True, alpha=config.ar),
        Variant("dropouts + TAR", dropped=True, beta=config.tar),
        Variant(ALL, dropped=True, alpha=config.ar, beta=config.tar),
    ]
