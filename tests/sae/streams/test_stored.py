"""The reader of a store: every row once, in the same order, by several processes, resumed."""

import json
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor.parallel import ColwiseParallel, parallelize_module
from torch.testing._internal.distributed.fake_pg import FakeStore

from regularizers.errors import ConfigurationError, DataError, RegimeError
from regularizers.sae.streams import StoredActivations, activations
from sae.streams.cells import all_equal, sorted_rows

ROOT = Path(__file__).parents[3]
ROWS = 103


@pytest.fixture(scope="module")
def data():
    return torch.arange(2.0 * ROWS).reshape(ROWS, 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, data):
    stream = activations(nn.Identity(), "", data.split(9))
    return stream.store(tmp_path_factory.mktemp("store"), shard_rows=10)


@pytest.mark.parametrize("window", [1, 25, 1000])
@pytest.mark.parametrize("workers", [0, 2])
def test_every_row_once_and_the_same_order_for_the_same_seed(folder, data, window, workers):
    def reader(**settings):
        return StoredActivations(folder, batch_size=8, window=window, **settings)

    one = reader(workers=workers)
    first, second = list(one), list(one)
    assert sorted_rows(first) == sorted_rows(second) == data.tolist()
    assert len(one) == len(first) == 13
    assert not all_equal(first, second)
    assert all_equal(first, list(reader()))
    assert not all_equal(first, list(reader(seed=1)))
    one.set_epoch(1)
    assert all_equal(second, list(one))


def test_rows_of_a_group_of_shards_are_shuffled_together(folder):
    rows = torch.cat(list(StoredActivations(folder, window=20, batch_size=8)))[:, 0] // 2
    order = [int(row) // 10 for row in rows]
    spans = {shard: [n for n, s in enumerate(order) if s == shard] for shard in range(11)}
    # two shards of ten rows at a time, and in random order
    assert all(max(span) - min(span) < 20 for span in spans.values())
    assert sum(max(span) - min(span) > 12 for span in spans.values()) > 6
    assert list(dict.fromkeys(order)) != sorted(spans)
    assert sum(rows.diff().abs() == 1) < 30


def test_each_group_has_an_order_of_its_own(folder):
    rows = torch.cat(list(StoredActivations(folder, window=1)))[:, 0].long() // 2
    orders: dict[int, list[int]] = {}
    for row in rows.tolist():
        orders.setdefault(row // 10, []).append(row % 10)
    assert len({tuple(order) for order in orders.values()}) == 11


def test_a_loop_that_was_left_leaves_no_thread(folder):
    before = threading.active_count()
    for _ in StoredActivations(folder, batch_size=8, workers=2):
        assert threading.active_count() > before
        break
    assert threading.active_count() == before


def test_the_order_of_the_store(folder, data):
    reader = StoredActivations(folder, shuffle=False, batch_size=8, workers=1)
    assert torch.equal(torch.cat(list(reader)), data)


@pytest.mark.parametrize("ranks", [2, 4])
def test_processes_divide_the_batches_of_one(folder, data, ranks):
    alone = list(StoredActivations(folder, batch_size=8))
    parts = [
        StoredActivations(folder, batch_size=8 // ranks, rank=rank, ranks=ranks)
        for rank in range(ranks)
    ]
    assert len({len(part) for part in parts}) == 1
    together = list(zip(*parts, strict=True))
    assert sorted_rows(torch.cat(batches) for batches in together) == data.tolist()
    assert all_equal(alone[:12], [torch.cat(batches) for batches in together[:12]])


def test_a_rest_too_small_for_all_joins_the_last_batch(folder, data):
    parts = [StoredActivations(folder, batch_size=25, rank=r, ranks=4) for r in range(4)]
    sizes = [[len(batch) for batch in part] for part in parts]
    assert sizes == [[25], [26], [26], [26]]
    assert len(parts[0]) == 1


@pytest.mark.parametrize("workers", [0, 1])
def test_a_reader_resumes_to_the_bit(folder, workers):
    def reader(**settings):
        return StoredActivations(folder, window=25, **{"batch_size": 8} | settings)

    whole = reader()
    expected = [*whole, *whole]
    for stop in random.Random(2).sample(range(27), 4):
        broken = reader(workers=workers)
        batches = iter(broken)
        for _ in range(stop):
            if next(batches, None) is None:
                batches = iter(broken)
                next(batches)
        state = json.loads(json.dumps(broken.state_dict()))
        resumed = reader(workers=workers) if stop % 2 else reader(batch_size=4, rank=0, ranks=2)
        resumed.load_state_dict(state)
        rest = [*resumed, *resumed][: 26 - stop]
        if stop % 2 == 0:  # as the first of two processes
            assert all_equal(rest, [b[: len(b) // 2] for b in expected[stop:]])
        else:
            assert all_equal(rest, expected[stop:])


def test_a_state_of_other_settings_is_refused(folder):
    state = StoredActivations(folder, batch_size=8).state_dict()
    with pytest.raises(ConfigurationError, match=r"ranks \* batch_size: .* with 8, here it is 16"):
        StoredActivations(folder, batch_size=8, rank=0, ranks=2).load_state_dict(state)


def test_the_process_is_that_of_torch_distributed_and_parts_of_units_are_refused(folder):
    dist.init_process_group("fake", store=FakeStore(), rank=1, world_size=3)
    try:
        one = StoredActivations(folder)
        assert (one.rank, one.ranks) == (1, 3)
        two = StoredActivations(folder, rank=0, ranks=1)
        assert (two.rank, two.ranks) == (0, 1)
        model = nn.Sequential(nn.Linear(6, 6), nn.ReLU())
        parallelize_module(model, init_device_mesh("cpu", (3,)), {"0": ColwiseParallel()})
        for site in "01":
            with pytest.raises(RegimeError, match=f"{site}: under tensor parallelism"):
                list(activations(model, site, [torch.randn(2, 6)]))
    finally:
        dist.destroy_process_group()


def test_bad_settings(folder):
    for settings, message in [
        ({"rank": 1}, "expected both or neither"),
        ({"rank": 2, "ranks": 2}, "rank: expected a number below ranks=2, got 2"),
        ({"workers": -1}, "workers"),
        ({"window": 0}, "window"),
        ({"dtype": torch.int8}, "dtype"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            StoredActivations(folder, **settings)
    with pytest.raises(DataError, match="a row for each of 200 processes, got 103"):
        StoredActivations(folder, rank=0, ranks=200)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells anonymous memory")
def test_memory_does_not_grow_with_the_store(tmp_path):
    command = [sys.executable, "-m", "benchmarks.activations", "--folder", str(tmp_path)]
    run = subprocess.run(
        [*command, "--gigabytes", "0.2"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(run.stdout)
    assert found["stored_mb"] > 180
    assert found["reading_mb"] < 60


@pytest.mark.parametrize("part", [(0, 80), (80, ROWS), (13, 37), (30, 31), (40, 50)])
def test_a_part_is_read_and_nothing_else(folder, data, part):
    reader = StoredActivations(folder, batch_size=8, part=part)
    first, end = part
    assert reader.rows == end - first
    assert sorted_rows(list(reader)) == data[first:end].tolist()
    in_order = StoredActivations(folder, batch_size=8, part=part, shuffle=False)
    assert torch.cat(list(in_order)).equal(data[first:end])


@pytest.mark.parametrize("part", [(0, ROWS + 1), (-1, 5), (5, 5)])
def test_a_part_that_is_not_there_is_refused(folder, part):
    with pytest.raises(ConfigurationError, match=f"from 0 to {ROWS}"):
        StoredActivations(folder, part=part)


def test_a_position_in_one_part_is_none_in_another(folder):
    state = StoredActivations(folder, batch_size=8, part=(0, 80)).state_dict()
    with pytest.raises(ConfigurationError, match="part"):
        StoredActivations(folder, batch_size=8, part=(0, 70)).load_state_dict(state)
