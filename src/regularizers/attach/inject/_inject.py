"""The second delivery: the gradient enters by the data path, scaled like the loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from regularizers.attach._delivery import Attachment, Pause
from regularizers.attach.inject._functions import ScaleFrom
from regularizers.attach.inject._scale import Scale
from regularizers.attach.inject._tap import Injecting
from regularizers.attach.reading import Gauge, WeightsInLoss, never_fired_message, total
from regularizers.attach.sites import ActivitySite, FollowHook
from regularizers.errors import CollectionError, RegimeError
from regularizers.modules import Masks
from regularizers.penalties.strength import check_strength


class Injection:
    """Taps pass their output through a Function whose backward adds the penalty's gradient."""

    def __init__(self, attachment: Attachment) -> None:
        self._model = attachment.model
        self._sites = attachment.sites
        self._strengths = attachment.strengths
        self._processes = attachment.processes
        self._gauges: dict[str, Gauge] = {}
        self._scale = Scale()
        self.weights = WeightsInLoss(attachment.sites)
        self.masks = Masks()
        self.pause = Pause(self._scale, self.weights)
        self._latest: dict[str, Tensor] = {}

    @property
    def last(self) -> dict[str, Tensor] | None:
        """The last value of each penalty; compiled programs report none."""
        return self._latest or None

    def attach(self, gauges: Mapping[str, Gauge], follow_hook: FollowHook) -> list[RemovableHandle]:
        """Register the hooks; `follow_hook` adds sites when the model gains modules."""
        handles = [*self.weights.attach(self._model), *self.add(self._sites.activities, gauges)]
        if self._sites.activities:
            handles.append(self._model.register_forward_pre_hook(follow_hook, prepend=True))
        return handles

    def add(
        self, activities: Iterable[ActivitySite], gauges: Mapping[str, Gauge]
    ) -> list[RemovableHandle]:
        """Register hooks at new sites, and add new weights."""
        self._gauges |= gauges
        self.weights.follow()
        handles = []
        for site in activities:
            if not site.rule.optional:
                self._scale.expect(site.name)
            tap = Injecting(
                site,
                self._model,
                self.masks,
                self._gauges,
                self._scale,
                self._strengths,
                self._latest,
                self._processes,
            )
            handles.append(tap.attach(site.module))
        return handles

    def close(self) -> None:
        """Stop injecting for good, also in hooks that a compiled program holds."""
        self.pause.close()

    def penalty(self) -> Tensor:
        """Raise: the penalties are no term of the loss."""
        raise RegimeError(
            "penalty() would count what delivery='inject' adds to the gradient by itself; "
            "write loss = reg.scale_from(loss), and read values from penalties()"
        )

    def scale_from(self, loss: Tensor) -> Tensor:
        """Return `loss`; its backward pass sets the scale, and weights enter here."""
        self._scale.disarm()
        units = self.weights.units()
        if units:
            values = {key: self._strengths.times(key, unit) for key, unit in units.items()}
            self._latest |= {key: value.detach() for key, value in values.items()}
            weights = total(values.values(), self._model)
            # adds their gradient and not their value: the loss stays the same number
            loss = loss + (weights - weights.detach()).to(loss.dtype)
        scaled: Tensor = ScaleFrom.apply(loss, self._scale.handle)  # type: ignore[no-untyped-call]
        return scaled

    def set_scale(self, scale: float | None) -> None:
        """Use `scale` where no loss goes through `scale_from`; None: no scale.

        Raises:
            RegimeError: a rule penalises weights, which this does not do.
        """
        if scale is not None and (key := self.weights.first()) is not None:
            raise RegimeError(
                f"{key}: set_scale is for activities, and this penalty of a weight would add "
                f"nothing; call reg.attach(optimizer) first, or use loss = reg.scale_from(loss) "
                f"instead"
            )
        self._scale.fix(None if scale is None else check_strength(scale, "scale"))

    def check_fired(self) -> None:
        """Raise if an output that a rule selects has never fired with gradients."""
        for site in self._sites.activities:
            if site.name in self._scale.silent:
                raise CollectionError(never_fired_message(site.name, training=site.module.training))
