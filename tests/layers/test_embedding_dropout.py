"""Whole words dropped, against the dropped table itself."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from layers.recurrent import noises_of, written_out
from regularizers.errors import ConfigurationError
from regularizers.layers import EmbeddingDropout, LockedDropout, WeightDrop

WORDS = torch.tensor([[1, 3, 3, 0], [7, 1, 2, 3], [9, 5, 1, 1]])


def dropping(rate=0.5, **options):
    torch.manual_seed(0)
    return EmbeddingDropout(nn.Embedding(10, 4, dtype=torch.float64, **options), rate)


def seeded(layer, *inputs, seed=4):
    torch.manual_seed(seed)
    return layer(*inputs)


def masks(layer, seed=4):
    """Return one number for each word, drawn here."""
    torch.manual_seed(seed)
    words = layer.embedding.num_embeddings
    return (torch.rand(words, 1, dtype=torch.float64) >= layer.rate) / (1 - layer.rate)


OPTIONS = [
    {},
    {"padding_idx": 3},
    {"scale_grad_by_freq": True},
    {"padding_idx": 1, "scale_grad_by_freq": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_is_the_published_look_up_in_the_dropped_table(options):
    layer = dropping(**options)
    table = layer.embedding.weight
    rows, mask = seeded(layer, WORDS), masks(layer)
    assert 0 < (mask == 0).sum() < 10
    expected = F.embedding(WORDS, mask.expand_as(table) * table, **options)
    torch.testing.assert_close(rows, expected)
    cotangent = torch.randn(3, 4, 4, dtype=torch.float64)
    actual = torch.autograd.grad(rows, table, cotangent)
    torch.testing.assert_close(actual, torch.autograd.grad(expected, table, cotangent))
    if "padding_idx" in options:
        assert (actual[0][options["padding_idx"]] == 0).all()


def test_a_word_is_dropped_in_all_its_places_or_none():
    layer = dropping()
    rows = seeded(layer, WORDS)
    for word in WORDS.unique():
        kept = (rows[word == WORDS] != 0).all(dim=-1)
        dropped = (rows[word == WORDS] == 0).all(dim=-1)
        assert kept.all() or dropped.all()
    assert not torch.equal(seeded(layer, WORDS, seed=5) == 0, rows == 0)


def test_a_sparse_gradient_is_the_dense_one():
    layer, dense = dropping(sparse=True), dropping()
    for one in (layer, dense):
        seeded(one, WORDS).pow(3).sum().backward()
    gradient = layer.embedding.weight.grad
    assert gradient.is_sparse
    torch.testing.assert_close(gradient.to_dense(), dense.embedding.weight.grad)
    torch.optim.SparseAdam(layer.parameters()).step()


def test_the_largest_norm_is_that_of_the_table_before_words_are_dropped():
    layer, plain = dropping(max_norm=0.7), dropping(rate=0, max_norm=0.7).embedding
    rows = seeded(layer, WORDS)
    expected = plain(WORDS)
    assert expected.norm(dim=-1).max() < 0.7001
    torch.testing.assert_close(rows, expected * masks(layer)[WORDS])
    torch.testing.assert_close(layer.embedding.weight, plain.weight)


def test_a_tied_head_uses_the_whole_table():
    layer = dropping()
    head = nn.Linear(4, 10, bias=False, dtype=torch.float64)
    head.weight = layer.embedding.weight
    model = nn.Sequential(layer, head)
    assert len(list(model.parameters())) == 1
    table = layer.embedding.weight
    scores = seeded(model, WORDS)
    expected = F.embedding(WORDS, masks(layer) * table) @ table.T
    torch.testing.assert_close(scores, expected)
    loss, by_hand = scores.square().sum(), expected.square().sum()
    torch.testing.assert_close(
        torch.autograd.grad(loss, table), torch.autograd.grad(by_hand, table)
    )


def test_the_share_that_is_dropped():
    table = nn.Embedding.from_pretrained(torch.ones(90_000, 1))
    rows = seeded(EmbeddingDropout(table, 0.3), torch.arange(90_000))
    assert abs((rows == 0).double().mean() - 0.3) < 5 * (0.3 * 0.7 / 90_000) ** 0.5
    torch.testing.assert_close(rows[rows != 0], torch.full_like(rows[rows != 0], 1 / 0.7))


@pytest.mark.filterwarnings("ignore:Warning. Profiler clears events")  # PyTorch 2.10
def test_it_does_not_compute_the_dropped_table():
    layer = dropping()
    with torch.profiler.profile(record_shapes=True) as profile:
        layer(WORDS).sum()
    products = [e.input_shapes for e in profile.events() if e.name == "aten::mul"]
    assert products == [[[3, 4, 4], [3, 4, 1]]]


def test_evaluation_and_a_rate_of_zero_are_the_embedding():
    layer = dropping()
    random = torch.get_rng_state()
    assert torch.equal(layer.eval()(WORDS), layer.embedding(WORDS))
    assert torch.equal(dropping(rate=0)(WORDS), layer.embedding(WORDS))
    torch.set_rng_state(random)
    layer.eval()(WORDS)
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_type_of_the_table(dtype):
    layer = dropping().to(dtype)
    rows = layer(WORDS.int())
    assert rows.dtype == dtype
    rows.sum().backward()
    assert layer.embedding.weight.grad.dtype == dtype


def test_indices_of_any_shape():
    layer = dropping()
    assert layer(torch.tensor(3)).shape == (4,)
    assert layer(torch.ones(0, 2, dtype=torch.int64)).shape == (0, 2, 4)
    with pytest.raises(IndexError):
        layer(torch.tensor(10))


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_checkpoint_draws_the_same_words_again(use_reentrant):
    layer, dummy = dropping(), torch.ones((), dtype=torch.float64, requires_grad=True)
    expected = torch.autograd.grad(seeded(layer, WORDS).square().sum(), layer.embedding.weight)
    torch.manual_seed(4)
    rows = checkpoint(lambda one: layer(WORDS) * one, dummy, use_reentrant=use_reentrant)
    torch.randn(3)
    rows.square().sum().backward()
    torch.testing.assert_close((layer.embedding.weight.grad,), expected)


def test_it_compiles_whole():
    torch.compiler.reset()
    layer = dropping()
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    ours, theirs = seeded(compiled, WORDS), seeded(layer, WORDS)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours.pow(3).sum(), layer.embedding.weight),
        torch.autograd.grad(theirs.pow(3).sum(), layer.embedding.weight),
    )


def test_it_saves_and_loads_under_its_own_names_and_those_of_the_embedding():
    layer, other = dropping(), dropping()
    assert list(layer.state_dict()) == ["embedding.weight"]
    nn.init.ones_(layer.embedding.weight)
    other.load_state_dict(layer.state_dict())
    assert (other.embedding.weight == 1).all()
    model = nn.Sequential(dropping())
    model.load_state_dict(nn.Sequential(layer.embedding).state_dict())
    assert (model[0].embedding.weight == 1).all()


def test_copies_and_pickles():
    layer = dropping()
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for twin in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
        assert repr(twin) == repr(layer)
        assert torch.equal(seeded(twin, WORDS), seeded(layer, WORDS))
        twin.load_state_dict({"weight": torch.zeros(10, 4)})
        assert (twin(WORDS) == 0).all()
    assert repr(layer).splitlines()[:2] == ["EmbeddingDropout(", "  rate=0.5"]


def test_a_rule_knows_the_table_by_its_role():
    model = nn.Sequential(dropping(), nn.Linear(4, 2, dtype=torch.float64))
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(1.0))])
    torch.testing.assert_close(reg.penalty(), model[1].weight.square().sum())


@pytest.mark.parametrize("module", [nn.EmbeddingBag(3, 2), nn.Linear(3, 2), None])
def test_what_is_no_embedding(module):
    match = rf"^EmbeddingDropout: expected an nn\.Embedding, got {type(module).__name__}"
    with pytest.raises(ConfigurationError, match=match):
        EmbeddingDropout(module, 0.5)


@pytest.mark.parametrize("rate", [1.0, -0.1, float("nan"), True, None, "0.5"], ids=repr)
def test_a_rate_that_cannot_be(rate):
    match = rf"^rate: expected a number in \[0, 1\), the fraction dropped, got {rate!r} of"
    with pytest.raises(ConfigurationError, match=match):
        dropping(rate)
    layer = dropping()
    layer.rate = rate
    with pytest.raises(ConfigurationError, match=match):
        layer(WORDS)


class LanguageModel(nn.Module):
    """AWD-LSTM in small: every dropout here, and a tied head."""

    def __init__(self):
        super().__init__()
        self.words = dropping(0.3)
        self.drops = nn.ModuleList([LockedDropout(0.3) for _ in range(3)])
        sizes = [(4, 6), (6, 4)]
        self.layers = nn.ModuleList(
            [WeightDrop(nn.LSTM(*s).double(), ["weight_hh_l0"], 0.5) for s in sizes]
        )
        self.head = nn.Linear(4, 10).double()
        self.head.weight = self.words.embedding.weight

    def forward(self, words):
        x = self.drops[0](self.words(words))
        for layer, drop in zip(self.layers, self.drops[1:], strict=True):
            x = drop(layer(x)[0])
        return self.head(x)


def test_together_they_are_the_published_language_model():
    torch.manual_seed(0)
    model, targets = LanguageModel(), torch.randint(10, (3, 4))
    noise = [noises_of(m) for m in (model.words, *model.drops, *model.layers)]
    reg = rz.Regularization(
        model, [rz.ar(2.0, where="drops.2"), rz.tar(1.0, where="layers.1.module")]
    )
    scores = model(WORDS)
    loss = F.cross_entropy(scores.flatten(0, 1), targets.flatten()) + reg.penalty()
    ((table_mask,), *locked), weight_masks = noise[:4], [n[0] for n in noise[4:]]

    table = model.words.embedding.weight
    x = F.embedding(WORDS, table_mask * table) * locked[0][0]
    for layer, weight_mask, mask in zip(model.layers, weight_masks, locked[1:], strict=True):
        weights = dict(layer.module.named_parameters())
        weights["weight_hh_l0"] = weights["weight_hh_l0"] * weight_mask
        raw, _ = written_out(layer.module, x, weights)
        x = raw * mask[0]
    by_hand = F.cross_entropy((x @ table.T + model.head.bias).flatten(0, 1), targets.flatten())
    by_hand = by_hand + 2 * x.square().mean() + (raw[1:] - raw[:-1]).square().mean()

    torch.testing.assert_close(loss, by_hand)
    parameters = tuple(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(by_hand, parameters)
    )
