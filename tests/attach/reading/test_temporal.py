"""AR and TAR on models: the published lines, whatever the layout, the padding and the module."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_sequence
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from regularizers.errors import (
    ConfigurationError,
    OutputError,
    RegimeError,
    SelectionError,
    ShapeError,
)

LAYERS = [nn.RNN, nn.LSTM, nn.GRU]
OPTIONS = [{}, {"bidirectional": True}, {"num_layers": 2}]
LENGTHS = [2, 5, 1, 3]


def layer(make=nn.LSTM, **options) -> nn.Module:
    torch.manual_seed(0)
    return make(3, 4, **options).double()


def inputs(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradients(module: nn.Module, value: Tensor) -> tuple[Tensor, ...]:
    grads = torch.autograd.grad(value, tuple(module.parameters()), retain_graph=True)
    return value.detach(), *grads


def penalty(module: nn.Module, rule: rz.Rule, *args, **kwargs) -> tuple[Tensor, ...]:
    reg = rz.Regularization(module, [rule])
    module(*args, **kwargs)
    value = reg.penalty()
    reg.detach()
    return gradients(module, value)


def published_tar(beta: float, h: Tensor) -> Tensor:
    """The line of the AWD-LSTM, of states with time first."""
    return beta * (h[1:] - h[:-1]).pow(2).mean()


def published_ar(alpha: float, h: Tensor) -> Tensor:
    return alpha * h.pow(2).mean()


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_recurrent_layers_say_which_axis_is_time(make, batch_first, options):
    module, x = layer(make, batch_first=batch_first, **options), inputs(5, 2, 3)
    actual = penalty(module, rz.tar(0.7, where=""), x)
    h = module(x)[0]
    expected = published_tar(0.7, h.transpose(0, 1) if batch_first else h)
    torch.testing.assert_close(actual, gradients(module, expected), rtol=1e-12, atol=1e-15)
    actual = penalty(module, rz.ar(0.7, where=""), x)
    expected = gradients(module, published_ar(0.7, module(x)[0]))
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("batch_first", [True, False])
def test_a_sequence_without_a_batch_has_time_first(make, batch_first):
    module, x = layer(make, batch_first=batch_first), inputs(5, 3)
    actual = penalty(module, rz.tar(0.7, where=""), x)
    torch.testing.assert_close(actual, gradients(module, published_tar(0.7, module(x)[0])))


class DroppedLSTM(nn.Module):
    """The output of the layer, and what is left of it after dropout with a mask that is known."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = layer()
        self.drop = nn.Identity()
        self.mask = (inputs(5, 2, 4, seed=2) > 0).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.drop(self.rnn(x)[0] * self.mask)


def test_ar_of_the_dropped_and_tar_of_the_raw_output_are_the_published_loss():
    model, x = DroppedLSTM(), inputs(5, 2, 3)
    reg = rz.Regularization(model, [rz.ar(2.0, where="drop"), rz.tar(1.0, where="rnn")])
    dropped = model(x)
    value = reg.penalty()
    with torch.no_grad():
        raw = model.rnn(x)[0]
    expected = published_ar(2.0, dropped) + published_tar(1.0, raw)
    torch.testing.assert_close(value, expected, rtol=1e-13, atol=0)
    assert list(reg.penalties()) == ["drop/activity/L2Squared", "rnn/temporal/L2Squared"]
    assert "Temporal(L2Squared(1.0))" in str(reg.report())


def one_by_one(module: nn.Module, sequences: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return AR and TAR of the joined states of sequences that are run one by one."""
    states = [module(x)[0] for x in sequences]
    changes = torch.cat([h[1:] - h[:-1] for h in states])
    return published_ar(0.7, torch.cat(states)), 0.7 * changes.pow(2).mean()


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("padded", [True, False])
def test_packed_sequences_equal_the_sequences_one_by_one(make, batch_first, padded):
    module = layer(make, batch_first=batch_first, num_layers=2)
    sequences = [inputs(n, 3, seed=n) for n in LENGTHS]
    packed = pack_sequence(sequences, enforce_sorted=False)
    if padded:
        together = pad_sequence(sequences, batch_first=True, padding_value=float("nan"))
        packed = pack_padded_sequence(
            together, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
        )
    ar, tar = one_by_one(module, sequences)
    for rule, expected in ((rz.ar(0.7, where=""), ar), (rz.tar(0.7, where=""), tar)):
        actual = penalty(module, rule, packed)
        torch.testing.assert_close(actual, gradients(module, expected), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_a_mask_around_the_forward_equals_the_sequences_one_by_one(make, batch_first, delivery):
    module = layer(make, batch_first=batch_first)
    sequences = [inputs(n, 3, seed=n) for n in LENGTHS]
    x = pad_sequence(sequences, batch_first=batch_first)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    reg = rz.Regularization(
        module, [rz.ar(0.7, where=""), rz.tar(0.7, where="")], delivery=delivery
    )
    with reg.mask(mask if batch_first else mask.T, where=nn.RNNBase):
        output = module(x)[0]
    if delivery == "inject":
        reg.scale_from(0 * output.sum()).backward()
        actual = [p.grad for p in module.parameters()]
    else:
        actual = gradients(module, reg.penalty())[1:]
    reg.detach()
    ar, tar = one_by_one(module, sequences)
    expected = gradients(module, ar + tar)[1:]
    torch.testing.assert_close(tuple(actual), expected, rtol=1e-6, atol=1e-9)


class Tagger(nn.Module):
    """A model that is given a mask beside its input, as a keyword or not."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = layer(batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.rnn(x)[0] * mask.unsqueeze(-1)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_mask_may_be_a_function_of_the_inputs_of_the_module(by_name):
    model = Tagger()
    sequences = [inputs(n, 3, seed=n) for n in LENGTHS]
    x = pad_sequence(sequences, batch_first=True)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    rule = rz.tar(0.7, where="", time_axis=1, mask=lambda x, mask: mask)
    actual = penalty(model, rule, x, **{"mask": mask}) if by_name else penalty(model, rule, x, mask)
    _, tar = one_by_one(model.rnn, sequences)
    torch.testing.assert_close(actual, gradients(model, tar), rtol=1e-12, atol=1e-15)


def test_a_mask_counts_for_penalties_that_are_not_temporal_too():
    model = nn.Sequential(nn.Linear(3, 4)).double()
    x, mask = inputs(2, 5, 3), torch.tensor([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0]]).bool()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0, reduce="mean"), where="0")])
    with reg.mask(mask, where="0"):
        model(x)
    value = reg.penalty()
    model(x)  # after the context everything counts again
    without = reg.penalty()
    output = model.eval()(x)
    torch.testing.assert_close(value, output[mask].abs().mean())
    torch.testing.assert_close(without, output.abs().mean())


@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_any_penalty_may_be_temporal(reduce):
    module, x = layer(batch_first=True), inputs(2, 5, 3)
    rule = rz.activity(rz.Temporal(rz.L1(0.7, reduce=reduce)), where="")
    h = module(x)[0]
    changes = (h[:, 1:] - h[:, :-1]).abs()
    expected = {"sum": changes.sum(), "batch_mean": changes.sum() / 2, "mean": changes.mean()}
    actual = penalty(module, rule, x)
    torch.testing.assert_close(actual, gradients(module, 0.7 * expected[reduce]))


def test_the_norm_of_each_samples_changes():
    module, x = layer(batch_first=True), inputs(2, 5, 3)
    rule = rz.activity(rz.Temporal(rz.L2Norm(0.7)), where="")
    h = module(x)[0]
    norms = (h[:, 1:] - h[:, :-1]).flatten(1).norm(dim=1)
    torch.testing.assert_close(penalty(module, rule, x), gradients(module, 0.7 * norms.mean()))


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("by_name", [True, False])
def test_a_state_carried_over_joins_the_first_difference_by_choice(make, batch_first, by_name):
    module = layer(make, batch_first=batch_first, num_layers=2)
    x = inputs(2, 8, 3)
    x = x if batch_first else x.transpose(0, 1)
    axis = 1 if batch_first else 0
    first, second = x.split(4, dim=axis)
    before, state = module(first)
    state = tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()
    rule = rz.tar(0.7, where="", carry=True)
    arguments = ((second,), {"hx": state}) if by_name else ((second, state), {})
    actual = penalty(module, rule, *arguments[0], **arguments[1])
    h = module(second, state)[0]
    joined = torch.cat([before.narrow(axis, 3, 1).detach(), h], dim=axis).transpose(0, axis)
    torch.testing.assert_close(actual, gradients(module, published_tar(0.7, joined)))
    without = penalty(module, rz.tar(0.7, where=""), second, state)
    torch.testing.assert_close(without, gradients(module, published_tar(0.7, h.transpose(0, axis))))
    # where no state is given there is nothing before the first step
    torch.testing.assert_close(
        penalty(module, rule, first), penalty(module, rz.tar(0.7, where=""), first)
    )


def test_a_state_carried_over_joins_padded_sequences_too():
    module = layer(nn.GRU, batch_first=True)
    sequences = [inputs(n, 3, seed=n) for n in LENGTHS]
    state = inputs(1, len(LENGTHS), 4, seed=9)
    packed = pack_sequence(sequences, enforce_sorted=False)
    actual = penalty(module, rz.tar(0.7, where="", carry=True), packed, state)
    changes = []
    for number, x in enumerate(sequences):
        before = state[:, number]
        h = torch.cat([before, module(x, before)[0]])
        changes.append(h[1:] - h[:-1])
    expected = gradients(module, 0.7 * torch.cat(changes).pow(2).mean())
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-15)


def test_an_injected_carried_state():
    module, x = layer(nn.GRU, batch_first=True), inputs(2, 5, 3)
    state = inputs(1, 2, 4, seed=9)
    reg = rz.Regularization(module, [rz.tar(0.7, where="", carry=True)], delivery="inject")
    reg.scale_from(0 * module(x, state)[0].sum()).backward()
    injected = [p.grad for p in module.parameters()]
    reg.detach()
    collected = penalty(module, rz.tar(0.7, where="", carry=True), x, state)[1:]
    torch.testing.assert_close(tuple(injected), collected, rtol=1e-6, atol=1e-9)


def test_hidden_states_of_transformers():
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=16,
    )  # fmt: skip
    model = BertModel(config, add_pooling_layer=False).double().train()
    model.requires_grad_(True)
    tokens = torch.tensor([[1, 2, 3, 4, 0, 0], [5, 6, 7, 8, 9, 10]])
    attention = (tokens != 0).long()
    rule = rz.tar(
        0.7,
        where="",
        select="last_hidden_state",
        time_axis=1,
        mask=lambda input_ids, attention_mask: attention_mask != 0,
    )
    reg = rz.Regularization(model, [rule])
    torch.manual_seed(3)
    h = model(input_ids=tokens, attention_mask=attention).last_hidden_state
    changes = torch.cat([h[0, 1:4] - h[0, :3], h[1, 1:] - h[1, :-1]])
    torch.testing.assert_close(reg.penalty(), 0.7 * changes.pow(2).mean())


def test_a_sequence_of_one_step_has_no_change():
    module = layer(batch_first=True)
    for x in (inputs(2, 1, 3), pack_sequence([inputs(1, 3), inputs(1, 3)])):
        value, *grads = penalty(module, rz.tar(0.7, where=""), x)
        assert value.item() == 0
        assert all(not gradient.any() for gradient in grads)


def test_a_sequence_of_no_step_is_an_error():
    model = nn.Sequential(nn.Identity())
    reg = rz.Regularization(model, [rz.tar(0.7, where="0", time_axis=1)])
    with pytest.raises(ShapeError, match="one step of time or more, got a length of 0"):
        model(inputs(2, 0, 3).requires_grad_())
    reg.detach()


def test_the_axis_of_time_must_be_said_where_no_one_knows_it():
    model = nn.Sequential(nn.Linear(3, 4)).double()
    rz_reg = rz.Regularization(model, [rz.tar(0.7, where="0")])
    with pytest.raises(ConfigurationError, match=r"^0: time_axis: expected the axis of time"):
        model(inputs(2, 5, 3))
    rz_reg.detach()


@pytest.mark.parametrize(("axis", "match"), [(3, "time_axis: .* 3 dim"), (0, "those of the batch")])
def test_an_axis_that_cannot_be_time(axis, match):
    model = nn.Sequential(nn.Linear(3, 4)).double()
    reg = rz.Regularization(model, [rz.tar(0.7, where="0", time_axis=axis)])
    with pytest.raises(ShapeError, match=match):
        model(inputs(2, 5, 3))
    reg.detach()


def test_an_axis_that_contradicts_the_layer():
    module = layer(batch_first=True)
    reg = rz.Regularization(module, [rz.tar(0.7, where="", time_axis=0)])
    with pytest.raises(ShapeError, match="says 0, but this layer was made with time at axis 1"):
        module(inputs(2, 5, 3))
    reg.detach()
    assert penalty(module, rz.tar(0.7, where="", time_axis=-2), inputs(2, 5, 3))[0].item() > 0


@pytest.mark.parametrize(
    ("mask", "error", "match"),
    [
        (torch.ones(5, 2).bool(), ShapeError, r"leading axes of the output, whose shape is"),
        (torch.ones(2, 5), OutputError, r"expected a boolean tensor .*Tensor\[2, 5\] float32"),
        ([True, False], OutputError, "expected a boolean tensor"),
    ],
)
def test_a_mask_that_does_not_fit(mask, error, match):
    module = layer(batch_first=True)
    reg = rz.Regularization(module, [rz.tar(0.7, where="")])
    with pytest.raises(error, match=match), reg.mask(mask, where=""):
        module(inputs(2, 5, 3))
    assert not reg._delivery.masks.any
    reg.detach()


def test_a_mask_for_what_is_not_penalised():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.1), where="1")])
    with pytest.raises(SelectionError, match=r"'0' matches no module whose activity .* are 1"):
        reg.mask(torch.ones(2).bool(), where="0")


def test_a_mask_that_is_no_function():
    with pytest.raises(ConfigurationError, match=r"function of the module's inputs, got a Tensor"):
        rz.ar(1.0, where="0", mask=torch.ones(2).bool())


def test_a_function_of_other_inputs():
    module = layer(batch_first=True)
    reg = rz.Regularization(module, [rz.ar(1.0, where="", mask=lambda x, lengths: lengths)])
    with pytest.raises(OutputError, match=r"which are \(Tensor\[2, 5, 3\] float64\); it raised"):
        module(inputs(2, 5, 3))
    reg.detach()


def test_carry_without_a_difference():
    with pytest.raises(ConfigurationError, match="carry=True is for differences in time"):
        rz.activity(rz.L1(0.1), where="0", carry=True)


@pytest.mark.parametrize("module", [nn.Linear(3, 4), nn.LSTM(3, 4, bidirectional=True)])
def test_carry_where_no_state_goes_on(module):
    module = module.double()
    options = {} if isinstance(module, nn.LSTM) else {"time_axis": 1}
    reg = rz.Regularization(module, [rz.tar(0.1, where="", carry=True, **options)])
    with pytest.raises(RegimeError, match="carry=True needs a recurrent layer of one direction"):
        module(inputs(2, 5, 3))
    reg.detach()


class Checkpointed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = layer(batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(lambda x: self.rnn(x)[0], x, use_reentrant=False)


MASKS = [
    torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool(),
    torch.tensor([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]]).bool(),
]


def test_under_a_checkpoint_the_backward_pass_within_the_context_is_right():
    model, x = Checkpointed(), inputs(2, 5, 3)
    reg = rz.Regularization(model, [rz.tar(0.7, where="rnn")])
    with reg.mask(MASKS[0], where="rnn"):
        model(x)
        actual = gradients(model, reg.penalty())
    reg.detach()
    h = model.rnn(x)[0]
    changes = torch.cat([h[0, 1:3] - h[0, :2], h[1, 1:] - h[1, :-1]])
    torch.testing.assert_close(actual, gradients(model, 0.7 * changes.pow(2).mean()))


@pytest.mark.parametrize("penalty", [rz.TAR(0.7), rz.L2Norm(0.7), rz.L1(0.7)], ids=repr)
def test_under_a_checkpoint_another_mask_in_the_backward_pass_is_an_error(penalty):
    model, x = Checkpointed(), inputs(2, 5, 3)
    reg = rz.Regularization(model, [rz.activity(penalty, where="rnn")])
    with reg.mask(MASKS[0], where="rnn"):
        model(x)
        value = reg.penalty()
    with (
        reg.mask(MASKS[1], where="rnn"),
        pytest.raises(RegimeError, match=r"rnn: a checkpoint ran .* under another mask"),
    ):
        value.backward()
    with reg.mask(MASKS[0], where="rnn"):
        model(x)
        value = reg.penalty()
    with pytest.raises(Exception, match="checkpoint"):  # PyTorch's own: one tensor fewer
        value.backward()
    reg.detach()


@pytest.mark.filterwarnings("ignore")  # what the compiler says of itself
def test_compiled_masks_come_with_the_inputs():
    model = Tagger()
    x = pad_sequence([inputs(n, 3, seed=n) for n in LENGTHS], batch_first=True)
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    rule = rz.tar(0.7, where="", time_axis=1, mask=lambda x, mask: mask)
    reg = rz.Regularization(model, [rule])
    compiled = torch.compile(model, backend="aot_eager")
    for flipped in (mask, mask.flip(0)):
        compiled(x, flipped)
        actual = gradients(model, reg.penalty())
        model(x, flipped)
        torch.testing.assert_close(actual, gradients(model, reg.penalty()))
