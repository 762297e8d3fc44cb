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
    """The root: `except RegularizersError` catches everything this library raises on purpose.

    Example:
        >>> import regularizers as rz
        >>> try:
        ...     rz.L1("0.1")
        ... except rz.RegularizersError as error:
        ...     print(type(error).__name__)
        StrengthTypeError
    """


class StrengthError(RegularizersError, ValueError):
    """A strength is negative, NaN or infinite.

    Example:
        >>> import regularizers as rz
        >>> rz.L1(-0.1)
        Traceback (most recent call last):
        ...
        regularizers.errors.StrengthError: strength: expected a finite number, zero or more, got
        -0.1; to turn a penalty off, give it strength 0 or leave it out
        >>> rz.L1(0)
        L1(0.0)
    """


class StrengthTypeError(RegularizersError, TypeError):
    """A strength is no number.

    Example:
        >>> import regularizers as rz
        >>> rz.L1("0.1")
        Traceback (most recent call last):
        ...
        regularizers.errors.StrengthTypeError: strength: expected a number, finite and not negative,
        got '0.1' of type str; a schedule, which is a function of the step, or a target may take
        the place of the number
        >>> rz.L1(0.1)
        L1(0.1)
    """


class ConfigurationError(RegularizersError, ValueError):
    """A setting has a value it cannot have.

    Example:
        >>> import regularizers as rz
        >>> rz.L1(0.1, reduce="average")
        Traceback (most recent call last):
        ...
        regularizers.errors.ConfigurationError: reduce: expected one of 'sum', 'batch_mean', 'mean'
        or None, got 'average'
        >>> rz.L1(0.1, reduce="mean")
        L1(0.1, reduce='mean')
    """


class ArrayTypeError(RegularizersError, TypeError):
    """An argument is no array, or an array whose type has no gradient.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> rz.L1(0.5)(np.array([1, 2]))
        Traceback (most recent call last):
        ...
        regularizers.errors.ArrayTypeError: x: expected an array of a real floating type, got int64;
        convert it first, for example with numpy.asarray(x, dtype=numpy.float32)
        >>> float(rz.L1(0.5)(np.array([1.0, 2.0])))
        1.5
    """


class ShapeError(RegularizersError, ValueError):
    """Shapes or axes do not fit together.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> x, grads = np.ones(2), np.zeros(3)
        >>> rz.L1(0.5).apply(x, grads)
        Traceback (most recent call last):
        ...
        regularizers.errors.ShapeError: grads: expected the shape of x, (2,), got (3,)
        >>> float(rz.L1(0.5).apply(x, np.zeros_like(x)))
        1.0
    """


class ReadOnlyError(RegularizersError, TypeError):
    """The gradient cannot be added in place, because `grads` cannot be written.

    Arrays of JAX are always read-only.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> x, grads = np.ones(2), np.zeros(2)
        >>> grads.flags.writeable = False
        >>> rz.L1(0.5).apply(x, grads)
        Traceback (most recent call last):
        ...
        regularizers.errors.ReadOnlyError: grads: expected an array that can be written in place,
        got a read-only or immutable ndarray; use value_and_gradient(x), which returns a new array
        >>> rz.L1(0.5).value_and_gradient(x)[1]
        array([0.5, 0.5])
    """


class SelectionError(RegularizersError, LookupError):
    """A rule matches nothing, or something it cannot act on.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
        >>> reg = rz.Regularization(model, [rz.activity(rz.L1(0.1), where="2")])
        Traceback (most recent call last):
        ...
        regularizers.errors.SelectionError: activity(L1(0.1), where='2'): where='2' matches nothing
        in (root) Sequential; no name is near
        >>> reg = rz.Regularization(model, [rz.activity(rz.L1(0.1), where="1")])
    """


class OutputError(RegularizersError, TypeError):
    """A module's output holds no floating tensor where one was selected.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> class Encoder(torch.nn.Module):
        ...     def forward(self, x):
        ...         return {"code": x.relu()}
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), Encoder())
        >>> reg = rz.Regularization(model, [rz.activity(rz.L1(0.1), where="1")])
        >>> output = model(torch.ones(1, 4))
        Traceback (most recent call last):
        ...
        regularizers.errors.OutputError: 1: expected a tensor, got dict(code=Tensor[1, 3] float32);
        say which part with activity(..., select=INDEX, KEY or FUNCTION)
        >>> reg.detach()
        >>> rule = rz.activity(rz.L1(0.1), where="1", select="code")
        >>> reg = rz.Regularization(model, [rule])
        >>> output = model(torch.ones(1, 4))
        >>> penalty = reg.penalty()
    """


class CollectionError(RegularizersError, RuntimeError):
    """The penalty is collected when it cannot be right.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
        >>> reg = rz.Regularization(model, [rz.activity(rz.L1(0.1), where="1")])
        >>> penalty = reg.penalty()
        Traceback (most recent call last):
        ...
        regularizers.errors.CollectionError: no forward since the last collection was in training
        mode with gradients enabled; call penalty() once after each forward in model.train(), and
        attach Regularization before the model is first compiled
        >>> output = model(torch.ones(1, 4))
        >>> penalty = reg.penalty()
    """


class RegimeError(RegularizersError, RuntimeError):
    """The gradient would be wrong in the way the model is trained here.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> model = torch.nn.Linear(4, 3)
        >>> reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.1))])
        >>> reg.attach(torch.optim.LBFGS(model.parameters()))
        Traceback (most recent call last):
        ...
        regularizers.errors.RegimeError: attach: torch.optim.lbfgs.LBFGS: LBFGS searches along the
        loss, which would miss the penalty; use loss + reg.penalty()
        >>> loss = model(torch.ones(1, 4)).square().mean() + reg.penalty()
    """


class PenaltyError(RegularizersError, AssertionError):
    """A penalty is not what it says: its gradient, its reductions, its masks or its properties.

    Example:
        >>> from dataclasses import dataclass
        >>> import regularizers as rz
        >>> @dataclass(frozen=True)
        ... class Quartic(rz.Term):
        ...     def statistic(self, x, frame):
        ...         return frame.xp.sum(x**4), ()
        ...
        ...     def pullback(self, x, saved, cotangent, frame):
        ...         return cotangent * x**3  # 4 * x**3 is right
        >>> rz.testing.check_penalty(Quartic(1.0))
        Traceback (most recent call last):
        ...
        regularizers.errors.PenaltyError: Quartic: with reduce='sum' the gradient is 0.25 times the
        numerical one; does it forget a factor? (NumPy)
    """


class DataError(RegularizersError, ValueError):
    """A data file is missing, or is not what was promised.

    Example:
        >>> import tempfile
        >>> import regularizers as rz
        >>> import torch
        >>> rz.sae.StoredActivations("activations")
        Traceback (most recent call last):
        ...
        regularizers.errors.DataError: activations: expected a folder of stored activations, with an
        index.json; write one with activations(model, where, data).store(folder)
        >>> model = torch.nn.Linear(4, 3)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = rz.sae.activations(model, "", [torch.randn(8, 4)]).store(folder)
        ...     rz.sae.StoredActivations(folder).rows
        8
    """


class FrameworkError(RegularizersError, ImportError):
    """A framework that an integration needs is missing or too old.

    Example:
        Where optax 0.1 is installed:

        >>> import sys
        >>> from unittest.mock import patch
        >>> with patch.dict(sys.modules), patch("importlib.metadata.version", return_value="0.1"):
        ...     _ = sys.modules.pop("regularizers.integrations.optax", None)
        ...     import regularizers.integrations.optax
        Traceback (most recent call last):
        ...
        regularizers.errors.FrameworkError: optax: expected version 0.2.8 or later, got 0.1; pip
        install 'optax>=0.2.8', or 'regularizers[integrations]' for all frameworks
    """


class RunFolderError(RegularizersError, OSError):
    """A run folder cannot be written, or holds nothing that can be resumed.

    Example:
        >>> from regularizers import recipes
        >>> recipes.load("runs/no-such-run")
        Traceback (most recent call last):
        ...
        regularizers.errors.RunFolderError: expected the folder of an earlier run, with a
        config.json in it, got 'runs/no-such-run' (nothing); the last line of a run names its folder
    """
