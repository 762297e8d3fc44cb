"""Maps each weight to the optimizer that updates it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.optim import Optimizer

from regularizers.attach.sites import Entry, Parameter, Reference, SelectedWeights, WeightSite
from regularizers.attach.step._inner_optimizers import inner_optimizers
from regularizers.attach.step._proximal import check_step_size_is_known
from regularizers.errors import ConfigurationError, RegimeError, SelectionError
from regularizers.penalties import check_proximal
from regularizers.penalties.arrays import namespace_of


class Ownership:
    """Maps parameters to their optimizers and groups; follows `add_param_group`."""

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        found = [inner for given in optimizers for inner in inner_optimizers(given)]
        self.optimizers = tuple({id(optimizer): optimizer for optimizer in found}.values())
        self.wrappers = [
            given
            for given in optimizers
            if issubclass(type(given), Optimizer) and given not in self.optimizers
        ]
        """Optimizers around others, which may change weights after the others have stepped."""
        self._seen: list[tuple[dict[str, Any], int, bool]] = []
        self._owners: dict[Tensor, tuple[Optimizer, dict[str, Any]]] = {}
        self.refresh()

    def refresh(self) -> object:
        """Read the optimizers again; return the same object as long as nothing has changed."""
        now = [
            (group, len(group["params"]), bool(group.get("maximize")))
            for optimizer in self.optimizers
            for group in optimizer.param_groups
        ]
        if not _same(now, self._seen):
            self._seen = now
            # reversed, so that an inner optimizer, which makes the update, wins over its wrapper
            self._owners = {
                parameter: (optimizer, group)
                for optimizer in reversed(self.optimizers)
                for group in optimizer.param_groups
                for parameter in group["params"]
            }
        return self._owners

    def optimizer_of(self, weight: Tensor) -> Optimizer:
        """Return the optimizer that holds the weight."""
        return self._owners[weight][0]

    def group_of(self, weight: Tensor) -> dict[str, Any]:
        """Return the parameter group that holds the weight."""
        return self._owners[weight][1]

    def weight_of(self, site: WeightSite) -> Tensor:
        """Return the parameter at a site.

        Raises:
            SelectionError: no optimizer holds the parameter.
            RegimeError: the weight is computed from other parameters.
        """
        _check_is_parameter(site.parameter)
        (weight,) = site.parameter.sources
        if weight not in self._owners:
            raise SelectionError(_not_held([site.parameter.full_name], self.optimizers))
        assert weight is not None
        return weight

    def check(self, model: nn.Module, groups: Iterable[SelectedWeights]) -> None:
        """Raise unless the optimizers' steps can penalise or constrain every trainable weight.

        Raises:
            SelectionError: a weight that no optimizer holds.
            RegimeError: a weight that is computed from other parameters, or a proximal rule with an
                optimizer whose step size is not known.
        """
        if any(isinstance(m, FullyShardedDataParallel) for m in model.modules()):
            raise RegimeError(
                "attach: FullyShardedDataParallel flattens the weights, which loses their shapes; "
                "use torch.distributed.fsdp.fully_shard"
            )
        sites = [site for group in groups for site in group.counted()]
        for site in sites:
            _check_can_be_projected(site)
        parameters = [p for site in sites for p in site.parameters if p.trainable]
        for parameter in parameters:
            _check_is_parameter(parameter)
        missing = [p.full_name for p in parameters if p.sources[0] not in self._owners]
        if missing:
            constrained = {s.parameter.full_name for s in sites if s.constraint is not None}
            raise SelectionError(_not_held(missing, self.optimizers, constrained))
        proximal: dict[Tensor, list[Any]] = {}
        references: dict[Tensor, Reference | None] = {}
        for site in sites:
            weight, name = self.weight_of(site), site.parameter.full_name
            namespace_of(weight, name)
            terms = [entry.term for entry in site.entries if entry.proximal]
            for entry in site.entries:
                if entry.proximal:
                    first = references.setdefault(weight, entry.reference)
                    _check_same_reference(first, entry)
            if terms:
                check_step_size_is_known(self.optimizer_of(weight), self.group_of(weight), name)
                proximal[weight] = proximal.get(weight, []) + terms
                check_proximal(proximal[weight])
        self._check_biases(sites)

    def _check_biases(self, sites: Sequence[WeightSite]) -> None:
        """Raise unless a bias that is read with its kernel moves and shrinks with it alone."""
        shrunk: Counter[Tensor] = Counter()
        for site, entry in _entries(sites):
            tensors = _tensors(site if entry.with_bias else site.parameter)
            if len({self.optimizer_of(tensor) for tensor in tensors}) > 1:
                raise RegimeError(
                    f"{entry.key}: with_bias=True joins kernel and bias, and these are held by two "
                    f"optimizers; give both to one, or use with_bias=False"
                )
            shrunk.update(tensors if entry.proximal else ())
        for site, entry in _entries(sites):
            joined = entry.with_bias is not None and entry.proximal
            if joined and any(shrunk[tensor] > 1 for tensor in _tensors(site)):
                raise RegimeError(
                    f"{entry.key}: with_bias=True shrinks kernel and bias together, and one of "
                    f"them has another proximal penalty, too; no step of both is known; use one "
                    f"of them, or proximal=False"
                )


def _check_can_be_projected(site: WeightSite) -> None:
    computed = site.parameter.is_computed and site.parameter.mask is None
    if computed and site.constraint is not None:
        raise RegimeError(
            f"{site.parameter.full_name} is computed from other parameters, so it cannot be "
            f"projected to {site.constraint.written!r}; narrow the rule, or state the constraint "
            f"as a parametrization"
        )


def _check_same_reference(first: Reference | None, entry: Entry) -> None:
    """Raise if a weight's proximal penalties are measured from or by different tensors."""
    if entry.reference != first:
        raise ConfigurationError(
            f"{entry.site}: its proximal rules have different towards= or importance=, and the "
            f"step of their sum has no closed form; give them the same ones, or let one of them "
            f"add its gradient, proximal=False"
        )


def _entries(sites: Iterable[WeightSite]) -> Iterator[tuple[WeightSite, Entry]]:
    return ((site, entry) for site in sites for entry in site.entries)


def _tensors(of: WeightSite | Parameter) -> list[Tensor]:
    """Return what optimizers update for a weight, or for one and its bias."""
    parameters = of.parameters if isinstance(of, WeightSite) else [of]
    return [p for one in parameters for p in one.sources if p is not None and p.requires_grad]


def _check_is_parameter(parameter: Parameter) -> None:
    if parameter.is_computed and parameter.mask is None:
        raise RegimeError(
            f"{parameter.full_name} is computed from other parameters, so it has no .grad to "
            f"add to; leave this rule in the loss, in a Regularization of its own"
        )


def _not_held(
    names: Sequence[str], optimizers: Sequence[Optimizer], constrained: Container[str] = ()
) -> str:
    rules = "constrained" if all(name in constrained for name in names) else "penalised"
    shown = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
    classes = " and ".join(type(optimizer).__name__ for optimizer in optimizers)
    return (
        f"attach: {len(names)} of the {rules} weights are trainable and not held by {classes}: "
        f"{shown}; give every optimizer of the model, attach(first, second), add them with "
        f"add_param_group, narrow the rule, or freeze them"
    )


def _same(
    first: Sequence[tuple[object, int, bool]], second: Sequence[tuple[object, int, bool]]
) -> bool:
    return len(first) == len(second) and all(
        a is b and m == n for (a, *m), (b, *n) in zip(first, second, strict=True)
    )
