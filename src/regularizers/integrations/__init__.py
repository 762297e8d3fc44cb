"""The loops that people already have: a module for each framework, loaded when it is asked for.

`regularizers.integrations.lightning`, `.transformers`, `.keras`, `.optax` and `.flax`. Each is
thin: it calls the public methods of the library where the framework says.
`pip install 'regularizers[integrations]'` has the frameworks.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from regularizers.integrations import flax, keras, lightning, optax, transformers

__all__ = ["flax", "keras", "lightning", "optax", "transformers"]


def __getattr__(name: str) -> object:
    if name in __all__:
        return import_module(f"regularizers.integrations.{name}")
    raise AttributeError(
        f"regularizers.integrations has no {name}; it has {', '.join(__all__)}, and "
        f"docs/integrations/index.md has the lines for other frameworks",
        name=name,
    )


def __dir__() -> list[str]:
    return list(__all__)
