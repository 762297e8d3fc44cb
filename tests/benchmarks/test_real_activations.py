"""Sparse codes of real activations: windows of text, the rows that count, the table."""

import numpy as np
import pytest
import torch
from benchmarks.sae.real import language
from benchmarks.sae.real.sites import Site, as_file, shuffled
from benchmarks.sae.real.table import table
from benchmarks.sae.real.text import BEGIN, bytes_of, split, stride_for, windows
from benchmarks.sae.real.training import measured

import regularizers as rz


def test_a_text_is_split_and_cut_into_windows(tmp_path):
    path = tmp_path / "text"
    path.write_text("abcdefghij" * 5, encoding="utf-8")
    first, last = bytes_of(path)
    assert bytes(first.tolist() + last.tolist()) == path.read_bytes()
    assert len(last) == 5
    assert windows(torch.arange(7), 3, 2, 50, 51).tolist() == [
        [50, 0, 1, 2, 51],
        [50, 2, 3, 4, 51],
        [50, 4, 5, 6, 51],
    ]
    assert windows(torch.arange(7), 3, 3, 50).tolist() == [[50, 0, 1, 2], [50, 3, 4, 5]]


@pytest.mark.parametrize(("tokens", "rows"), [(1000, 3000), (1000, 990), (500, 40), (10_000, 7)])
def test_the_stride_is_the_largest_with_so_many_rows(tokens, rows):
    inside = 10
    text = torch.arange(tokens)
    stride = stride_for(tokens, inside, rows)
    assert inside * len(windows(text, inside, stride, -1)) >= rows
    more = inside * len(windows(text, inside, stride + 1, -1))
    assert stride == inside or more < rows


def test_a_model_of_bytes_sees_no_later_byte_and_learns(monkeypatch):
    monkeypatch.setattr(language, "CONTEXT", 16)
    torch.manual_seed(0)
    model = language.LanguageModel()
    tokens = torch.randint(BEGIN, (2, 16))
    changed = tokens.clone()
    changed[:, 10] = (changed[:, 10] + 1) % BEGIN
    same = (model(tokens) == model(changed)).all(-1).all(0)
    assert same.tolist() == [True] * 10 + [False] * 6
    text = torch.tensor(list(b"sparse codes " * 40))
    before = language.token_losses(model, windows(text, 15, 15, BEGIN)).mean()
    language.fit(model, text, 20)
    assert language.token_losses(model, windows(text, 15, 15, BEGIN)).mean() < 0.8 * before


@pytest.fixture
def site():
    torch.manual_seed(0)
    model = language.LanguageModel().eval()
    first, last = split(torch.randint(97, 122, (800,)))
    cut = [windows(part, 31, stride, BEGIN) for part, stride in ((first, 20), (last, 31))]
    where = language.SITES["residual"]
    return Site("residual", model, where, *cut, (BEGIN,), language.token_losses)


def test_the_rows_are_those_of_the_model_without_the_first_token(site, tmp_path):
    stores = site.store(tmp_path)
    read = []
    handle = site.model.get_submodule(site.where).register_forward_hook(
        lambda module, inputs, output: read.append(output)
    )
    with torch.no_grad():
        site.model(site.train)
    handle.remove()
    expected = read[0][:, 1:].flatten(0, 1)
    stored = torch.cat(list(shuffled(stores[0], 100, seed=3)))
    assert stored.shape == expected.shape
    assert stored.sum(1).sort().values.tolist() == pytest.approx(
        expected.sum(1).sort().values.tolist(), abs=1e-4
    )
    with as_file(stores, 100, seed=3, steps=2, path=tmp_path / "rows"):
        written = torch.from_numpy(np.fromfile(tmp_path / "rows", np.float32))
        assert torch.equal(written.view(-1, 64)[:200], stored[:200])
        assert len(written) == 64 * (200 + 31 * len(site.held_out))
    assert not (tmp_path / "rows").exists()


def test_the_figures_are_of_the_text_held_out(site, tmp_path):
    stores = site.store(tmp_path)
    x = torch.cat(list(shuffled(stores[1], 100, seed=0)))
    torch.manual_seed(0)
    sae = rz.sae.SparseAutoencoder(64, 128, 8)
    sae.calibrate(x)
    found = measured(site, stores, sae, 2.5)
    with torch.no_grad():
        left = (x - sae(x)).square().sum() / (x - x.mean(0)).square().sum()
        loss = language.token_losses(site.model, site.held_out).mean().item()
    assert found["explained_variance"] == pytest.approx(1 - left.item(), rel=1e-4)
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    cost = found["mean_ablated"] - loss
    saved = found["mean_ablated"] - found["reconstructed"]
    assert found["recovered"] == pytest.approx(saved / cost, rel=1e-4)
    assert found["seconds"] == 2.5


def test_positions_that_count_are_all_but_the_first():
    counts = language.after_begin(torch.zeros(3, 5, 2))
    assert counts.tolist() == [[False, True, True, True, True]] * 3


def test_the_table_has_the_best_rate_with_all_seeds():
    common = {
        "site": "mlp",
        "active": 16,
        "batch": 64,
        "steps": 9,
        "dead": 1,
        "seconds": 60.4,
        "recovered": 0.9,
    }
    theirs = common | {"by": "SAELens", "trainer": "topk"}
    rows = [
        theirs | {"rate": 1e-3, "l0": 16, "explained_variance": 0.80},
        theirs | {"rate": 1e-3, "l0": 17, "explained_variance": 0.82},
        theirs | {"rate": 3e-3, "l0": 16, "explained_variance": 0.70},
        theirs | {"rate": 3e-3, "l0": 16, "explained_variance": 0.70},
        theirs | {"rate": 1e-2, "l0": 16, "explained_variance": 0.99},
        common
        | {"by": "ours", "trainer": "topk", "rate": 3e-3, "l0": 15.9}
        | {"explained_variance": 0.9},
    ]
    _, rule, mine, other = table(rows).splitlines()
    assert set(rule) <= set("|-")
    cells = mine.strip("| ").split(" | ")
    assert cells[0] == "mlp, 16 active, 9 × 64: ours topk, 0.003, 1 seed"
    assert cells[1:] == ["15.90", "0.9000", "0.9000", "1", "60"]
    cells = other.strip("| ").split(" | ")
    assert cells[0] == "mlp, 16 active, 9 × 64: SAELens topk, 0.001, 2 seeds"
    assert cells[1:] == ["16.50", "0.8100", "0.9000", "1", "60"]
