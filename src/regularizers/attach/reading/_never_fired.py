"""The message for a site that has never fired."""

from __future__ import annotations

REVERSIBLE = (
    "a reversible block (a torch.autograd.Function that repeats its forward in the backward)"
)


def never_fired_message(
    site: str, *, training: bool = True, without_gradients: bool = False
) -> str:
    """Return the message, with the likely cause.

    Args:
        site: the name of the site.
        training: whether its module is in training mode.
        without_gradients: whether it ran in training mode with gradients disabled.
    """
    if not training:
        why = "it is in evaluation mode"
    elif without_gradients:
        why = (
            f"it ran with gradients disabled; within {REVERSIBLE} use Regularization(..., "
            f'delivery="inject"), and under torch.no_grad() there is nothing to penalise'
        )
    else:
        why = (
            "is it called by the forward, as module(x) and not as module.forward(x), and was "
            "Regularization attached before the model was first compiled? If it need not fire, as "
            "an expert that is given no tokens, say activity(..., optional=True)"
        )
    return f"{site}: the site has never fired with gradients; {why}"
