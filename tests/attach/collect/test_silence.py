"""Sites that did not fire, and collections that would be of nothing."""

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import batch, branches, per_sample
from regularizers.errors import CollectionError


def test_a_site_that_has_never_fired_raises_and_is_named():
    model, reg = branches()
    model(batch(), "left")
    with pytest.raises(CollectionError, match=r"^right: the site has never fired with gradients"):
        reg.penalty()


def test_a_site_in_evaluation_mode_that_has_never_fired_says_so():
    model, reg = branches()
    model.left.eval()
    model(batch())
    with pytest.raises(CollectionError, match=r"^left: .*it is in evaluation mode"):
        reg.penalty()


def test_a_module_whose_forward_is_called_directly_is_asked_about():
    class Direct(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lin = nn.Linear(4, 4).double()

        def forward(self, x: Tensor) -> Tensor:
            return self.lin.forward(x)

    model = Direct()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="lin")])
    model(batch())
    with pytest.raises(CollectionError, match=r"^lin: .*not as module\.forward\(x\)"):
        reg.penalty()


def test_after_raising_for_a_silent_site_nothing_was_lost():
    model, reg = branches()
    x = batch()
    model(x, "left")
    with pytest.raises(CollectionError):
        reg.penalty()
    y = model(x, "right")
    expected = per_sample(x @ model.left.weight.T + model.left.bias) + per_sample(y)
    torch.testing.assert_close(reg.penalty(), expected)


def test_a_site_that_merely_did_not_fire_this_time_gives_zero_and_keeps_its_last_report():
    model, reg = branches()
    model(batch())
    reg.penalty()
    reported = reg.penalties()["left/activity/L1"]
    assert reported > 0
    y = model(batch(), "right")
    torch.testing.assert_close(reg.penalty(), per_sample(y))
    assert reg.penalties()["left/activity/L1"] == reported
    model(batch(), "")
    assert reg.penalty().item() == 0


def test_a_second_collection_without_a_forward_between_raises():
    model, reg = branches()
    model(batch())
    reg.penalty()
    with pytest.raises(CollectionError, match="no forward since the last collection"):
        reg.penalty()
    y = model(batch(), "right")
    torch.testing.assert_close(reg.penalty(), per_sample(y))


def test_a_collection_before_any_forward_raises():
    _, reg = branches()
    with pytest.raises(CollectionError, match="no forward since the last collection"):
        reg.penalty()
