"""Whether a step uses the value of the loss: line searches and Polyak steps do.

An optimizer with a closure sees the loss, which lacks a penalty that is added to the gradients. The
rest only return it. Nothing at runtime tells the two apart, so the source of `step` is read.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any


def reads_loss(optimizer: object) -> bool:
    """Return whether the source of `step` uses what its closure returns, except to return it."""
    return _method_reads_loss(getattr(type(optimizer), "step", None))


@cache
def _method_reads_loss(method: Any) -> bool:
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(method)))
        (step,) = ast.parse(source).body
    except (AttributeError, OSError, TypeError, SyntaxError, ValueError):
        return False  # compiled code has no source
    if not isinstance(step, ast.FunctionDef):
        return False
    arguments = [
        one.arg for one in [*step.args.posonlyargs, *step.args.args, *step.args.kwonlyargs]
    ]
    if "closure" not in arguments:
        return False
    losses = {name for node in ast.walk(step) for name in _bound_to_loss(node)}
    returned = {id(part) for node in ast.walk(step) for part in _passed_on(node)}
    return any(
        isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Load)
        and node.id in losses
        and id(node) not in returned
        for node in ast.walk(step)
    )


def _bound_to_loss(node: ast.AST) -> Iterator[str]:
    """Yield the names that an assignment binds to what the closure returns."""
    if not isinstance(node, (ast.Assign, ast.AnnAssign)) or node.value is None:
        return
    if any(isinstance(part, ast.Call) and _calls_closure(part) for part in ast.walk(node.value)):
        targets: list[Any] = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        yield from [name for name in names if name != "closure"]  # which may be wrapped


def _calls_closure(call: ast.Call) -> bool:
    used = [call.func, *call.args, *[keyword.value for keyword in call.keywords]]
    return any(isinstance(one, ast.Name) and one.id == "closure" for one in used)


def _passed_on(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is returned as it is, or only compared with None."""
    if isinstance(node, ast.Return):
        yield from node.value.elts if isinstance(node.value, ast.Tuple) else [node.value or node]
    if isinstance(node, ast.Compare) and all(
        isinstance(other, ast.Constant) and other.value is None for other in node.comparators
    ):
        yield node.left
