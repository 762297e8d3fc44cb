"""Every exception this library raises on purpose.

    RegularizersError
    ├── StrengthError       ValueError    a strength that is negative, NaN or infinite
    ├── StrengthTypeError   TypeError     a strength that is no number
    ├── ConfigurationError  ValueError    another setting that cannot be
    ├── ArrayTypeError      TypeError     not an array, or an array that is not real floating point
    ├── ShapeError          ValueError    shapes or axes that do not fit together
    ├── ReadOnlyError       TypeError     a gradient asked for in place where nothing can be written
    ├── SelectionError      LookupError   a rule that matches nothing, or more than it can act on
    ├── OutputError         TypeError     a module's output in which no floating tensor is selected
    ├── CollectionError     RuntimeError  a penalty collected when it cannot be right
    ├── RegimeError         RuntimeError  a way of training in which the gradient would be wrong
    ├── PenaltyError        AssertionError  a penalty that is not what it says it is
    ├── DataError           ValueError    a data file that is not what was promised
    ├── FrameworkError      ImportError   a framework that is missing or too old
    └── RunFolderError      OSError       a run folder that cannot be written or resumed

Each also derives from the built-in exception that Python programmers would expect there.
"""

__all__ = [
    "ArrayTypeError",
    "CollectionError",
    "ConfigurationError",
    "DataError",
    "FrameworkError",
    "OutputError",
    "PenaltyError",
    "ReadOnlyError",
    "RegimeError",
    "RegularizersError",
    "RunFolderError",
    "SelectionError",
    "ShapeError",
    "StrengthError",
    "StrengthTypeError",
]


class RegularizersError(Exception):
    """The root: `except RegularizersError` catches everything this library raises on purpose."""


class StrengthError(RegularizersError, ValueError):
    """A strength is negative, NaN or infinite."""


class StrengthTypeError(RegularizersError, TypeError):
    """A strength is no number."""


class ConfigurationError(RegularizersError, ValueError):
    """A setting has a value it cannot have."""


class ArrayTypeError(RegularizersError, TypeError):
    """An argument is no array, or an array whose type has no gradient."""


class ShapeError(RegularizersError, ValueError):
    """Shapes or axes do not fit together."""


class ReadOnlyError(RegularizersError, TypeError):
    """The gradient cannot be added in place, because `grads` cannot be written."""


class SelectionError(RegularizersError, LookupError):
    """A rule matches nothing, or something it cannot act on."""


class OutputError(RegularizersError, TypeError):
    """A module's output holds no floating tensor where one was selected."""


class CollectionError(RegularizersError, RuntimeError):
    """The penalty is collected when it cannot be right."""


class RegimeError(RegularizersError, RuntimeError):
    """The gradient would be wrong in the way the model is trained here."""


class PenaltyError(RegularizersError, AssertionError):
    """A penalty is not what it says: its gradient, its reductions, its masks or its properties."""


class DataError(RegularizersError, ValueError):
    """A data file is missing, or is not what was promised."""


class FrameworkError(RegularizersError, ImportError):
    """A framework that an integration needs is missing or too old."""


class RunFolderError(RegularizersError, OSError):
    """A run folder cannot be written, or holds nothing that can be resumed."""
