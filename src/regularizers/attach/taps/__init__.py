"""Forward hooks that read one site each, for each delivery."""

from regularizers.attach.taps._collecting import Collecting
from regularizers.attach.taps._injecting import Injecting

__all__ = ["Collecting", "Injecting"]
