"""Forwards that failed leave no record, and forwards never collected do not pile up."""

import warnings

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import batch, mlp, records
from regularizers.errors import CollectionError, ConfigurationError

RULES = [rz.activity(rz.L1(1.0), where="first")]


class Fragile(nn.Module):
    """Raises between its two layers when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 3).double(), nn.Linear(3, 2).double()

    def forward(self, x: Tensor, error: type[BaseException] | None = None) -> Tensor:
        x = self.first(x)
        if error is not None:
            raise error
        return self.second(x)


def first_by_hand(model: Fragile, x: Tensor) -> Tensor:
    return (x @ model.first.weight.T + model.first.bias).abs().sum() / len(x)


# Ctrl-C in a notebook is no Exception
every_error = pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])


@every_error
def test_a_forward_that_raises_leaves_no_record(error):
    model, x = Fragile(), batch()
    reg = rz.Regularization(model, RULES)
    with pytest.raises(error):
        model(batch(9), error)
    assert records(reg) == 0
    with pytest.raises(CollectionError, match=r"no forward since the last|has not ended"):
        reg.penalty()
    model(x)
    torch.testing.assert_close(reg.penalty(), first_by_hand(model, x))


def test_after_a_forward_that_raises_a_site_called_by_itself_still_counts():
    model, x = Fragile(), batch()
    reg = rz.Regularization(model, RULES)
    with pytest.raises(ValueError):  # noqa: PT011
        model(batch(9), ValueError)
    model.first(x)
    torch.testing.assert_close(reg.penalty(), first_by_hand(model, x))


def test_after_an_interrupted_forward_the_collection_says_so_and_the_next_is_right():
    model, x = Fragile(), batch()
    reg = rz.Regularization(model, RULES)
    with pytest.raises(KeyboardInterrupt):
        model(batch(9), KeyboardInterrupt)
    with pytest.raises(CollectionError, match="the model's forward has not ended"):
        reg.penalty()
    model(x)
    torch.testing.assert_close(reg.penalty(), first_by_hand(model, x))


def test_a_collection_within_the_forward_says_so():
    class Impatient(Fragile):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).sum() + reg.penalty()

    model = Impatient()
    reg = rz.Regularization(model, RULES)
    with pytest.raises(CollectionError, match="call penalty\\(\\) after it, not within it"):
        model(batch())


@every_error
def test_a_forward_that_raises_between_good_ones_takes_nothing_with_it(error):
    model, x = Fragile(), batch()
    reg = rz.Regularization(model, RULES)
    model(x)
    with pytest.raises(error):
        model(x, error)
    model(x)
    torch.testing.assert_close(reg.penalty(), 2 * first_by_hand(model, x))


@pytest.mark.parametrize("prepend", [True, False])
def test_a_pre_hook_of_the_users_that_raises_leaves_all_well(prepend):
    model, x = Fragile(), batch()
    reg = rz.Regularization(model, RULES)

    def refuse(*_):
        raise ValueError("refused")

    handle = model.register_forward_pre_hook(refuse, prepend=prepend)
    with pytest.raises(ValueError, match="refused"):
        model(x)
    handle.remove()
    model(x)
    torch.testing.assert_close(reg.penalty(), first_by_hand(model, x))


@pytest.mark.parametrize("raises", [True, False])
def test_a_model_that_calls_itself_is_refused(raises):
    class Recursive(Fragile):
        def forward(self, x: Tensor, depth: int = 0) -> Tensor:
            y = super().forward(x)
            if depth:
                self(x, depth - 1)
                if raises:
                    raise ValueError
            return y

    model, x = Recursive(), batch()
    reg = rz.Regularization(model, RULES)
    if raises:
        with pytest.raises(ValueError):  # noqa: PT011
            model(x, 1)
    else:
        model(x, 1)
    with pytest.raises(CollectionError, match="the model called itself within its own forward"):
        reg.penalty()
    model(x)
    torch.testing.assert_close(reg.penalty(), first_by_hand(model, x))


def test_a_model_wrapped_in_another_counts():
    inner = Fragile()
    outer, x = nn.Sequential(inner), batch()
    reg = rz.Regularization(inner, RULES)
    outer(x)
    torch.testing.assert_close(reg.penalty(), first_by_hand(inner, x))


def test_a_thousand_forwards_without_gradients_leave_no_records():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="1")], max_uncollected=1)
    with torch.no_grad():
        for _ in range(1000):
            model(batch(1))
    assert records(reg) == 0
    hidden = torch.tanh(batch() @ model[0].weight.T + model[0].bias)
    model(batch())
    torch.testing.assert_close(reg.penalty(), hidden.abs().sum() / 6)


def test_forwards_never_collected_are_dropped_with_one_warning():
    model, x = Fragile(), batch()
    reg = rz.Regularization(model, RULES, max_uncollected=2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(7):
            model(x)
            assert records(reg) <= 2
    assert len(caught) == 1
    text = str(caught[0].message)
    assert "more than 2 forwards were recorded and not collected" in text
    assert "max_uncollected=" in text

    with pytest.raises(CollectionError, match="more than 2 forwards were not collected"):
        reg.penalty()
    model(x)
    torch.testing.assert_close(reg.penalty(), first_by_hand(model, x))


def test_as_many_forwards_as_allowed_are_collected_without_a_warning():
    model, x = Fragile(), batch()
    reg = rz.Regularization(model, RULES, max_uncollected=3)
    for _ in range(3):
        model(x)
    torch.testing.assert_close(reg.penalty(), 3 * first_by_hand(model, x))


def test_a_second_pile_of_uncollected_forwards_raises_without_another_warning():
    model, x = Fragile(), batch()
    reg = rz.Regularization(model, RULES, max_uncollected=1)
    model(x)
    with pytest.warns(UserWarning, match="more than 1 forwards were recorded"):
        model(x)
    for _ in range(2):
        with pytest.raises(CollectionError, match="more than 1 forwards were not collected"):
            reg.penalty()
        model(x)
        model(x)


def test_a_module_called_alone_is_counted_by_its_calls():
    model, x = Fragile(), batch()
    reg = rz.Regularization(model, RULES, max_uncollected=2)
    model.first(x)
    model.first(x)
    with pytest.warns(UserWarning, match="more than 2 forwards were recorded"):
        model.first(x)
    with pytest.raises(CollectionError, match="more than 2 forwards were not collected"):
        reg.penalty()


@pytest.mark.parametrize("number", [0, -1])
def test_at_least_one_forward_must_be_allowed(number):
    with pytest.raises(ConfigurationError, match=f"max_uncollected: expected 1 .* got {number}"):
        rz.Regularization(Fragile(), RULES, max_uncollected=number)
