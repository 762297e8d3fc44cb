"""The most active samples of each unit, as a sort of all of them finds."""

import pytest
import torch

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.sae.evaluation import top_samples
from sae.known import of_directions, random_autoencoder


def data(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("batch_size", [1000, 7])
def test_they_are_the_first_of_a_sort(batch_size):
    sae, x = random_autoencoder(6, 20), data(100)
    found = top_samples(sae, x, count=5, batch_size=batch_size)
    values, indices = sae.encode(x).sort(dim=0, descending=True)
    assert torch.allclose(found.values, values[:5].mT)
    fires = found.indices >= 0
    assert torch.equal(found.indices[fires], indices[:5].mT[fires])
    assert torch.equal(fires, values[:5].mT > 0)
    assert found.positions is None
    assert found.contexts is None


def test_of_chosen_units_only():
    sae, x = random_autoencoder(6, 20), data(50)
    every, some = top_samples(sae, x), top_samples(sae, x, units=[3, 17])
    assert torch.allclose(some.values, every.values[[3, 17]])
    assert torch.equal(some.indices, every.indices[[3, 17]])
    assert some.units.tolist() == [3, 17]


def test_fewer_samples_than_asked_for():
    sae = of_directions(torch.eye(6))
    x = torch.zeros(4, 6)
    x[2, 0], x[1, 0] = 3.0, 5.0
    found = top_samples(sae, [x[:3], x[3:]], count=3)
    assert found.values[0].tolist() == [5, 3, 0]
    assert found.indices[0].tolist() == [1, 2, -1]
    assert found.indices[1].tolist() == [-1, -1, -1]
    assert str(found).splitlines()[:4] == ["unit 0", "  5  sample 1", "  3  sample 2", "unit 1"]
    assert "silent" in str(found)


@pytest.mark.parametrize("batch_size", [1000, 9])
def test_tokens_in_context(batch_size):
    sae, x = random_autoencoder(6, 20), data(7, 9)
    tokens = torch.arange(63).view(7, 9)
    found = top_samples(sae, x, count=4, tokens=tokens, around=2, batch_size=batch_size)
    code = sae.encode(x)
    for row, contexts in enumerate(found.contexts):
        assert contexts
        for place, one in enumerate(contexts):
            assert one.value == found.values[row, place]
            assert one.value == pytest.approx(code[one.sequence, one.position, row].item())
            assert one.token == 9 * one.sequence + one.position
            first = max(one.position - 2, 0)
            assert list(one.tokens) == tokens[one.sequence, first : one.position + 3].tolist()
            assert (found.indices[row, place], found.positions[row, place]) == (
                one.sequence,
                one.position,
            )
    best = code.flatten(0, 1).max(0)
    assert torch.allclose(found.values[:, 0], best.values)
    assert (found.indices[:, 0] * 9 + found.positions[:, 0]).tolist() == best.indices.tolist()


def test_sequences_of_several_lengths_and_words():
    sae = of_directions(torch.eye(6))
    first, then = torch.zeros(1, 2, 6), torch.zeros(2, 3, 6)
    first[0, 1, 0], then[1, 2, 0] = 1.0, 2.0
    text = [["a", " b"], [" c", " d", " e"], [" f", " g", " h"]]
    found = top_samples(sae, [first, then], units=[0], tokens=text, around=1)
    assert [str(one) for one in found.contexts[0]] == ["2   g« h»", "1  a« b»"]
    numbers = top_samples(sae, [first, then], units=[0], tokens=[[1, 2], [3, 4, 5], [6, 7, 8]])
    assert str(numbers).splitlines() == ["unit 0", "  2  6 7 «8»", "  1  1 «2»"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"count": 0}, ConfigurationError, "^count: "),
        ({"around": -1}, ConfigurationError, "^around: "),
        ({"units": [20]}, ConfigurationError, "^units: expected numbers from 0 to 19"),
        ({"units": torch.ones(20).bool()}, ConfigurationError, "mask.nonzero"),
        ({"tokens": torch.zeros(3, 9)}, ShapeError, "each of 7 sequences, got 3"),
        ({"tokens": torch.zeros(7, 1)}, ShapeError, "sequence .*: expected a token for each"),
        ({"data": data(7), "tokens": torch.zeros(7, 9)}, ShapeError, r"\(sequences, tokens, feat"),
        ({"data": []}, ShapeError, "expected samples, got none"),
    ],
)
def test_what_is_refused(options, error, message):
    sae = random_autoencoder(6, 20).train()
    given = {"data": data(7, 9), **options}
    with pytest.raises(error, match=message):
        top_samples(sae, **given)
    assert sae.training
